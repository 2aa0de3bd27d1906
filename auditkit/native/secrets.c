/* Whether nothing may be a secret: the short way of `redaction.Redactor.apply` and `target`. */

#include "native.h"

/* Whether a part stands at a place of a text, or just before it. */
static int
stands(const char *text, Py_ssize_t size, Py_ssize_t at, const char *part)
{
    Py_ssize_t length = (Py_ssize_t)strlen(part);
    return at >= 0 && at + length <= size && memcmp(text + at, part, length) == 0;
}

/* The same, whether it is written in small letters or in capitals. */
static int
stands_in_any_case(const char *text, Py_ssize_t size, Py_ssize_t at, const char *word)
{
    for (; *word != '\0' && at < size; word++, at++) {
        if ((text[at] | 0x20) != *word) {
            return 0;
        }
    }
    return *word == '\0';
}

/* The characters that `may_be_secret` stops at: most are none of them, and to look that up is faster than to choose. */
static const char stops_at[256] = {['"'] = 1, ['\''] = 1, ['='] = 1, [':'] = 1, ['J'] = 1, ['A'] = 1, ['b'] = 1,
                                   ['B'] = 1, ['_'] = 1,  ['-'] = 1, ['x'] = 1, ['g'] = 1, ['w'] = 1};

/* `redaction._may_be_secret`, in one pass: each part is looked for where its rarest character stands. */
static int
may_be_secret(const char *text, Py_ssize_t size)
{
#define HERE(part) stands(text, size, at, part)
#define BEFORE(part) stands(text, size, at - (Py_ssize_t)strlen(part), part)
    int underscore = 0, hyphen = 0, beside_underscore = 0, beside_hyphen = 0, found = 0;
    for (Py_ssize_t at = 0; at < size; at++) {
        if (!stops_at[(unsigned char)text[at]]) {
            continue;
        }
        switch (text[at]) {
            case '"':
            case '\'':
            case '=': return 1;
            case ':': found = HERE("://"); break;
            case 'J': found = BEFORE("ey"); break;
            case 'A': found = HERE("AKIA") || HERE("ASIA") || HERE("AIza"); break;
            case 'b':
            case 'B':
                found = stands_in_any_case(text, size, at, "bearer") || stands_in_any_case(text, size, at, "basic");
                break;
            case '_':
                underscore = 1;
                found = BEFORE("k") || BEFORE("npm");
                break;
            case '-':
                hyphen = 1;
                found = BEFORE("-") || BEFORE("sk") || BEFORE("pypi");
                break;
            case 'x':
                found = BEFORE("0");
                beside_hyphen |= HERE("xox");
                break;
            case 'g':
                beside_underscore |= HERE("gh");
                beside_hyphen |= HERE("glpat");
                break;
            case 'w': beside_underscore |= HERE("whsec"); break;
            default: break;
        }
        if (found) {
            return 1;
        }
    }
    return (underscore && beside_underscore) || (hyphen && beside_hyphen);
#undef HERE
#undef BEFORE
}

/* Whether a value may stay, by its shape alone. */
int
is_harmless(PyObject *value)
{
    if (is_plain_text(value)) {
        return !may_be_secret((const char *)PyUnicode_1BYTE_DATA(value), PyUnicode_GET_LENGTH(value));
    }
    return PyLong_CheckExact(value) || PyBool_Check(value) || PyFloat_CheckExact(value);
}

/* Return DONE where every name and value may stay as it is, NOT_PLAIN where Python must look. */
int
is_clean(State *state, PyObject *decisions, PyObject *metadata)
{
    PyObject *name, *value;
    Py_ssize_t at = 0;
    if (!PyDict_CheckExact(metadata) || !PyDict_Check(decisions)) {
        return NOT_PLAIN;
    }
    while (PyDict_Next(metadata, &at, &name, &value)) {
        if (value == Py_None) {
            continue;
        }
        if (!PyUnicode_CheckExact(name) || !is_harmless(value)) {
            return NOT_PLAIN;
        }
        PyObject *decision = PyDict_GetItemWithError(decisions, name);
        if (decision != Py_False) { /* a secret's name, or one that nobody has judged yet */
            return decision == NULL && PyErr_Occurred() ? contained(state) : NOT_PLAIN;
        }
    }
    return DONE;
}

PyObject *
clean(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "is_clean takes the decisions on names, and metadata");
        return NULL;
    }
    State *state = state_of(module);
    int result = is_ready(state) ? is_clean(state, arguments[0], arguments[1]) : FAILED;
    return result == FAILED ? NULL : PyBool_FromLong(result == DONE);
}
