"""The JUnit report: what CI servers show; one testcase per layer, one failure per finding at level error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree import ElementTree as ET

from gradcheck.records import Finding, Report, SubjectReport
from gradcheck.report.layout import Repeat, finding_lines, repeat_command, repeat_lines

# What XML 1.0 cannot hold, escaped or not.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report, *, repeat: Repeat = repeat_command) -> str:
    """Return the report as JUnit XML, to be written as UTF-8.

    Layers that could not be checked are *skipped*: CI servers show them apart from those that passed.
    """
    failed, skipped = report.count("fail"), report.count("unchecked") + report.count("inconclusive")
    counts = {"tests": len(report.subjects), "failures": failed, "errors": 0, "skipped": skipped}
    suites = ET.Element("testsuites")
    suite = _add(suites, "testsuite", name="gradcheck", time="0", **{key: str(n) for key, n in counts.items()})
    _add_properties(suite, {"seed": report.seed, "gradcheck": report.version})
    for subject in report.subjects:
        _add_testcase(suite, subject, repeat)
    ET.indent(suites)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(suites, encoding="unicode")}\n'


def _add_testcase(suite: ET.Element, subject: SubjectReport, repeat: Repeat) -> None:
    testcase = _add(suite, "testcase", classname=subject.target, name=subject.name, time="0")
    _add_properties(testcase, {f"resolution.{name}": value for name, value in subject.resolution.items()})
    if subject.verdict in ("unchecked", "inconclusive"):
        reason = subject.reason or "no reason is known"
        fix = f"to fix it: {subject.fix}" if subject.fix else ""
        _add(testcase, "skipped", fix, type=subject.verdict, message=reason)
    for finding in subject.findings:
        if finding.level == "error":
            text = _text(subject, finding, repeat)
            _add(testcase, "failure", text, type=finding.rule, message=f"{finding.rule} {finding.message}")
    warnings = [finding for finding in subject.findings if finding.level == "warning"]
    if warnings:
        _add(testcase, "system-out", "\n".join(_text(subject, warning, repeat) for warning in warnings))


def _add_properties(parent: ET.Element, values: Mapping[str, object]) -> None:
    if values:
        properties = _add(parent, "properties")
        for name, value in values.items():
            _add(properties, "property", name=name, value=str(value))


def _add(parent: ET.Element, tag: str, text: str = "", **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, tag, {key: _ILLEGAL.sub("", value) for key, value in attributes.items()})
    element.text = _ILLEGAL.sub("", text) or None
    return element


def _text(subject: SubjectReport, finding: Finding, repeat: Repeat) -> str:
    lines = (*finding_lines(finding), *repeat_lines(subject, finding.case, repeat))
    return "\n".join("".join(text for text, _ in line).rstrip() for line in lines)
