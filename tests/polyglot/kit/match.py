"""Does an answer fit what a step expects? An expectation is JSON:

    {"a": P}     an object that has `a` like P; it may have more
    [P, Q]       a list of just these
    "~regexp"    a text that matches as a whole
    null         not there
    else         the same value
"""
import re


def differences(expected, actual, where=""):
    """What differs, a line each; none when it fits."""
    if isinstance(expected, dict):
        if not isinstance(actual, dict):
            return [f"{where or 'the answer'} is {actual!r}, not an object"]
        return [line for key, value in expected.items()
                for line in differences(value, actual.get(key), f"{where}.{key}".lstrip("."))]
    if isinstance(expected, list):
        if not isinstance(actual, list) or len(actual) != len(expected):
            return [f"{where} is {actual!r}, not {len(expected)} things"]
        return [line for index, value in enumerate(expected)
                for line in differences(value, actual[index], f"{where}[{index}]")]
    if isinstance(expected, str) and expected.startswith("~"):
        if isinstance(actual, str) and re.fullmatch(expected[1:], actual, re.S):
            return []
        return [f"{where} is {actual!r}, which is not like {expected[1:]!r}"]
    if type(expected) is not type(actual) or expected != actual:
        return [f"{where} is {actual!r}, not {expected!r}"]
    return []
