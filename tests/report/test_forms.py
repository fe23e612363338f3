"""The forms for programs and notebooks: JSON, JUnit, HTML."""

import json as stdlib_json
import math
import re
from xml.etree import ElementTree as ET

import pytest

from gradcheck.records import Finding, Report, SubjectReport
from gradcheck.report import html, json, junit

AWKWARD = 'raised E: <a href="x">&amp;</a> ]]> \x00\x08\x1b[0m \ud800 \ufffe Ω'


@pytest.fixture
def awkward():
    finding = Finding(rule="GC602", level="error", message=AWKWARD, case="seed=0", analytic=math.nan, numeric=math.inf)
    subject = SubjectReport("L", "a & b.py::L", "fail", resolution={"x": math.inf}, findings=(finding,))
    return Report(seed=3, subjects=(subject,), version="0.1.0")


def test_json_is_the_records(report):
    data = stdlib_json.loads(json.render(report))
    assert data == report.to_dict()
    assert [subject["verdict"] for subject in data["subjects"]] == ["pass", "fail", "fail", "unchecked", "inconclusive"]
    assert data["subjects"][2]["findings"][1]["index"] == [0, 0]


def test_json_is_indented_readable_and_ends_its_last_line(report):
    assert json.render(report).startswith('{\n  "schema": 1,\n')
    assert json.render(report).endswith("}\n")


def test_json_has_no_nan_and_keeps_letters(awkward):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    text = json.render(awkward)
    finding = stdlib_json.loads(text, parse_constant=refuse)["subjects"][0]["findings"][0]
    assert (finding["analytic"], finding["numeric"]) == (None, None)
    assert "Ω" in text


def test_junit_layout(report):
    suites = ET.fromstring(junit.render(report).encode())
    assert suites.tag == "testsuites"
    (suite,) = suites
    assert {key: suite.get(key) for key in ("name", "tests", "failures", "errors", "skipped")} == {
        "name": "gradcheck",
        "tests": "5",
        "failures": "2",
        "errors": "0",
        "skipped": "2",
    }
    assert properties(suite) == {"seed": "0", "gradcheck": "0.1.0"}
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    assert cases["Affine"].get("classname") == "deep notes.ipynb::Affine"
    assert properties(cases["MulLayer"]) == {"resolution.x": "3e-13", "resolution.y": "1.25e-14"}
    assert {name: [child.tag for child in case] for name, case in cases.items()} == {
        "MulLayer": ["properties"],
        "Relu": ["failure", "failure"],
        "Affine": ["failure", "failure", "system-out"],
        "Softmax": ["skipped"],
        "Step": ["skipped"],
    }


def test_junit_failures_say_what_and_how_to_repeat(report):
    failure = ET.fromstring(junit.render(report).encode()).find(".//testcase[@name='Affine']/failure[@type='GC101']")
    assert failure.get("message") == "GC101 dW is wrong"
    assert failure.text == (
        "GC101 dW is wrong\n"
        "  smallest case: n=2 i=2 o=1\n"
        "  worst at dW[0, 0]: analytic -1.25   numeric 0.5 ± 3e-15\n"
        "  looks like a transposed factor\n"
        "  matches the numeric gradient: dW = X.T @ dout\n"
        "  repeat: gradcheck 'deep notes.ipynb::Affine' --case \"n=2 i=2 o=1 seed=3\""
    )


def test_junit_skips_say_why(report):
    skipped = ET.fromstring(junit.render(report).encode()).find(".//testcase[@name='Softmax']/skipped")
    assert skipped.get("message") == "forward accepted none of 40 trial shapes"
    assert skipped.text == 'to fix it: give its shapes: --signature "(n,c)->(n,c)"'


def test_junit_warnings_go_to_system_out_and_do_not_fail(report):
    out = ET.fromstring(junit.render(report).encode()).findtext(".//testcase[@name='Affine']/system-out")
    assert out.startswith("GC204 warning: forward keeps X by reference\n")
    assert "nobody asked for this" not in out


def test_junit_of_awkward_text_is_still_xml(awkward):
    text = junit.render(awkward)
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", text)
    message = ET.fromstring(text.encode()).find(".//failure").get("message")
    assert message == 'GC602 raised E: <a href="x">&amp;</a> ]]> [0m   Ω'


def test_html_is_one_element_with_every_word_escaped(awkward):
    text = html.render(awkward)
    element = ET.fromstring(text)
    assert element.tag == "pre"
    assert r'raised E: <a href="x">&amp;</a> ]]> \x00\x08\x1b[0m \ud800 \ufffe Ω' in "".join(element.itertext())


def test_html_reads_as_the_text_does(report):
    from gradcheck.report import text

    shown = "".join(ET.fromstring(html.render(report)).itertext())
    assert [line.rstrip() for line in shown.splitlines()] == text.render(report).splitlines()


def properties(element):
    return {found.get("name"): found.get("value") for found in element.findall("properties/property")}
