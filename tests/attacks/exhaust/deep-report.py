"""Leaves a report in the workspace that is JSON nested beyond any parser's stack."""


def write_report(rows):
    open("report.json", "w").write('{"a":' * 1_600 + "1" + "}" * 1_600)


sold = {}
