"""What every test shares: no limit of time on a drawn example, Ctrl-C, and skips that are not expected fail the run.

A machine that has much to do takes longer than the 200 ms that Hypothesis grants an example by itself; the limit of the
whole test stands. ``TOCSIN_ALLOWED_SKIPS`` holds a regular expression of the reasons that may be given for a skip.
Continuous integration sets it on a machine that has every program the tests know, so that nothing falls out of the
suite unnoticed.
"""

import os
import re
import signal

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("tocsin", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tocsin")

# A shell without a terminal starts what runs in its background deaf to Ctrl-C, and a program that a test starts, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
