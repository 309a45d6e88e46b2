import pytest

from shared.errors import UsageError
from tocsin.site.compose_file import read_compose
from tocsin.site.dockerfile import read_image
from tocsin.site.interpolation import interpolated, read_variables

SET = {"SET": "value", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("$SET/${SET}", "value/value"),
        ("${EMPTY:-other}|${EMPTY-other}|${UNSET:-other}|${UNSET-other}", "other||other|other"),
        ("${SET:-other}${SET:?needed}", "valuevalue"),
        ("${SET:+with}|${EMPTY:+with}|${EMPTY+with}|${UNSET+with}", "with||with|"),
        ("$$SET costs 5$$", "$SET costs 5$"),
        ("${UNSET:-a:b/c-d?}", "a:b/c-d?"),
        ("nothing", "nothing"),
    ],
)
def test_variables_are_replaced_as_compose_does(text, wanted):
    assert interpolated(text, SET) == wanted


@pytest.mark.parametrize("text", ["${UNSET:?run tocsin init}", "${EMPTY:?run tocsin init}"])
def test_a_variable_that_must_be_set_is_asked_for_with_its_place(text):
    with pytest.raises(UsageError, match=r"services\.a\.image of the compose file needs .*: run tocsin init"):
        interpolated({"services": {"a": {"image": text}}}, SET)


@pytest.mark.parametrize("text", ["5$", "${", "${1}", "${SET:-{}}", "$ {SET}"])
def test_a_dollar_that_begins_no_variable_is_refused(text):
    with pytest.raises(UsageError, match=r"write '\$\$' for one"):
        interpolated(text, SET, "x")


def test_variables_of_the_environment_win_over_those_of_the_file_beside(tmp_path):
    (tmp_path / ".env").write_text("# a comment\nA=1\nexport B='two'\n\nC=3\n")
    assert read_variables(tmp_path, {"C": "4"}) == {"A": "1", "B": "two", "C": "4"}


def compose(tmp_path, text):
    file = tmp_path / "docker-compose.yml"
    file.write_text(text)
    return file


TWO = """
services:
  late: {image: "x:1.0.0", profiles: [more], depends_on: {early: {condition: service_healthy}}}
  early: {image: "x:1.0.0", restart: always, stop_grace_period: 1m30s}
"""


def test_services_come_after_those_that_they_depend_on_and_only_with_their_profile(tmp_path):
    file = compose(tmp_path, TWO)
    assert list(read_compose(file, [], {})) == ["early"]
    services = read_compose(file, ["more"], {})
    assert list(services) == ["early", "late"]
    assert services["early"].stop_seconds == 90.0
    assert services["late"].depends_on == {"early": "service_healthy"}


@pytest.mark.parametrize(
    ("text", "profiles", "sentence"),
    [
        (TWO, ["les"], "no profile 'les' in .*; there is more"),
        ("services: [", [], "is no YAML"),
        ("services:\n  a: {depends_on: {b: {condition: service_started}}}", [], "depends on b, which is not among"),
        (
            """services: {a: {depends_on: {b: {condition: x}}}, b: {depends_on: {a: {condition: x}}}}""",
            [],
            "depends on b, which depends on it",
        ),
        ("services:\n  a: {stop_grace_period: soon}", [], "'soon' in the compose file is no duration"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path, text, profiles, sentence):
    with pytest.raises(UsageError, match=sentence):
        read_compose(compose(tmp_path, text), profiles, {})


def test_a_file_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(UsageError, match=r"cannot be read .*--file"):
        read_compose(tmp_path / "docker-compose.yml", [], {})


def test_what_an_image_runs_is_read_from_its_last_stage(tmp_path):
    file = tmp_path / "Dockerfile"
    file.write_text(
        'FROM a AS build\nUSER 1:1\nENTRYPOINT ["no"]\nENV X=no\nFROM b\nENV A=1 \\\n    B="two words"\n'
        'USER 2:2\nHEALTHCHECK --interval=1s CMD ["ask", "it"]\nENTRYPOINT ["run"]\nCMD ["this"]\n'
    )
    image = read_image(file)
    assert (image.entrypoint, image.command, image.user, image.health) == (("run",), ("this",), "2:2", ("ask", "it"))
    assert image.environment == {"A": "1", "B": "two words"}
