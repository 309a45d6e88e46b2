"""Skips that are not expected fail the run where ``TOCSIN_ALLOWED_SKIPS`` says so.

The variable holds a regular expression of the reasons that may be given. Continuous integration sets it on a machine
that has every program the tests know, so that nothing falls out of the suite unnoticed.
"""

import os
import re

import pytest


def unexpected(reasons: list[str], allowed: str) -> list[str]:
    return sorted({reason for reason in reasons if not re.search(allowed, reason)})


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    allowed = os.environ.get("TOCSIN_ALLOWED_SKIPS")
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if allowed is None or reporter is None or hasattr(session.config, "workerinput"):
        return
    skipped = reporter.stats.get("skipped", [])
    found = unexpected([str(report.longrepr[-1]) for report in skipped if report.longrepr], allowed)
    for reason in found:
        reporter.write_line(f"skipped although this machine should run it: {reason}", red=True)
    if found and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
