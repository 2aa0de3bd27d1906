/* What a recorded body states, read by the form that json.c gives it: `stated.read_stated`. */

#include "native.h"

/* Where reading has come to in a body, and where that ends. */
typedef struct {
    const char *at, *end;
} Reader;

/* Go over these very characters, if they stand here. */
static int
over(Reader *reader, const char *literal, Py_ssize_t size)
{
    if (reader->end - reader->at < size || memcmp(reader->at, literal, size) != 0) {
        return 0;
    }
    reader->at += size;
    return 1;
}

#define OVER(reader, literal) over(reader, literal, sizeof(literal) - 1)

static int
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Go over one escape, behind its backslash. */
static int
over_escape(Reader *reader)
{
    if (reader->at == reader->end) {
        return 0;
    }
    char c = *reader->at++;
    if (c != 'u') {
        return c != '\0' && strchr("\"\\/bfnrt", c) != NULL;
    }
    for (int digit = 0; digit < 4; digit++) {
        if (reader->at == reader->end || !(is_digit(*reader->at) || (*reader->at >= 'a' && *reader->at <= 'f'))) {
            return 0;
        }
        reader->at++;
    }
    return 1;
}

/* Go over a quoted text; say whether anything in it is escaped. */
static int
over_text(Reader *reader, int *is_escaped)
{
    if (!OVER(reader, "\"")) {
        return 0;
    }
    while (reader->at < reader->end) {
        char c = *reader->at++;
        if (c == '"') {
            return 1;
        }
        if (c < ' ' || c > '~') {
            return 0;
        }
        if (c == '\\') {
            *is_escaped = 1;
            if (!over_escape(reader)) {
                return 0;
            }
        }
    }
    return 0;
}

static Py_ssize_t
over_digits(Reader *reader)
{
    const char *first = reader->at;
    while (reader->at < reader->end && is_digit(*reader->at)) {
        reader->at++;
    }
    return reader->at - first;
}

/* Go over a number as Python writes it, of no more digits than 64 bits have. */
static int
over_number(Reader *reader)
{
    enum { MOST = 19 };
    (void)OVER(reader, "-");
    const char *first = reader->at;
    Py_ssize_t digits = over_digits(reader);
    if (digits == 0 || digits > MOST || (*first == '0' && digits > 1)) {
        return 0;
    }
    if (OVER(reader, ".") && over_digits(reader) == 0) {
        return 0;
    }
    if (OVER(reader, "e")) {
        return (OVER(reader, "+") || OVER(reader, "-")) && over_digits(reader) > 0;
    }
    return 1;
}

static int
over_scalar(Reader *reader)
{
    int is_escaped;
    if (reader->at < reader->end && *reader->at == '"') {
        return over_text(reader, &is_escaped);
    }
    return OVER(reader, "null") || OVER(reader, "true") || OVER(reader, "false") || over_number(reader);
}

/* Go over an object of scalars, and of such objects where `inner` says so. */
static int
over_object(Reader *reader, int inner)
{
    int is_escaped;
    if (!OVER(reader, "{")) {
        return 0;
    }
    if (OVER(reader, "}")) {
        return 1;
    }
    do {
        if (!over_text(reader, &is_escaped) || !OVER(reader, ":")) {
            return 0;
        }
        int is_object = inner && reader->at < reader->end && *reader->at == '{';
        if (!(is_object ? over_object(reader, 0) : over_scalar(reader))) {
            return 0;
        }
    } while (OVER(reader, ","));
    return OVER(reader, "}");
}

static int
two_digits(const char *text)
{
    return (text[0] - '0') * 10 + text[1] - '0';
}

/* Whether a text is a time as json.c writes it, of a day that there is. */
static int
is_time(const char *text, Py_ssize_t size)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd.ddddddZ";
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (size != sizeof(form) - 1) {
        return 0;
    }
    for (Py_ssize_t at = 0; at < size; at++) {
        if (form[at] == 'd' ? !is_digit(text[at]) : text[at] != form[at]) {
            return 0;
        }
    }
    int year = two_digits(text) * 100 + two_digits(text + 2), month = two_digits(text + 5);
    int leaps = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0), day = two_digits(text + 8);
    return year > 0 && month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] + (month == 2 && leaps) &&
           two_digits(text + 11) < 24 && two_digits(text + 14) < 60 && two_digits(text + 17) < 60;
}

/* In the order of `protocols.Stated`. */
enum { ID, OCCURRED, GROUP, ACTOR_ID, ACTOR_NAME, ACTION, TARGET_ID, TARGET_NAME, TEXTS };

/* Go over a text and keep where it stands, without its quotes; one that is escaped is Python's. */
static int
take(Reader *reader, Reader *text)
{
    int is_escaped = 0;
    text->at = reader->at + 1;
    if (!over_text(reader, &is_escaped) || is_escaped) {
        return 0;
    }
    text->end = reader->at - 1;
    return 1;
}

static int
pass_optional(Reader *reader)
{
    int is_escaped;
    return OVER(reader, "null") || over_text(reader, &is_escaped);
}

static int
over_action_type(Reader *reader)
{
    return OVER(reader, "C") || OVER(reader, "R") || OVER(reader, "U") || OVER(reader, "D");
}

/* Go over a whole body, and keep the texts that it states. */
static int
over_body(Reader *reader, Reader *texts)
{
    int is_escaped;
    return OVER(reader, "{\"id\":") && take(reader, &texts[ID]) && OVER(reader, ",\"occurred_at\":") &&
           take(reader, &texts[OCCURRED]) && OVER(reader, ",\"group\":") && take(reader, &texts[GROUP]) &&
           OVER(reader, ",\"actor_id\":") && take(reader, &texts[ACTOR_ID]) && OVER(reader, ",\"actor_name\":") &&
           take(reader, &texts[ACTOR_NAME]) && OVER(reader, ",\"actor_type\":") && over_text(reader, &is_escaped) &&
           OVER(reader, ",\"location\":") && over_text(reader, &is_escaped) && OVER(reader, ",\"correlation_id\":") &&
           pass_optional(reader) && OVER(reader, ",\"action\":") && take(reader, &texts[ACTION]) &&
           OVER(reader, ",\"action_type\":\"") && over_action_type(reader) && OVER(reader, "\",\"target_id\":") &&
           take(reader, &texts[TARGET_ID]) && OVER(reader, ",\"target_name\":") && take(reader, &texts[TARGET_NAME]) &&
           OVER(reader, ",\"target_type\":") && over_text(reader, &is_escaped) && OVER(reader, ",\"parent_id\":") &&
           pass_optional(reader) && OVER(reader, ",\"metadata\":") && over_object(reader, 1) && OVER(reader, "}") &&
           reader->at == reader->end && is_time(texts[OCCURRED].at, texts[OCCURRED].end - texts[OCCURRED].at);
}

PyObject *
read_stated(PyObject *module, PyObject *body)
{
    State *state = state_of(module);
    if (state->used.read_stated == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "auditkit.native was not given read_stated");
        return NULL;
    }
    Reader texts[TEXTS], reader = {NULL, NULL};
    if (PyBytes_CheckExact(body)) {
        reader.at = PyBytes_AS_STRING(body);
        reader.end = reader.at + PyBytes_GET_SIZE(body);
    }
    if (reader.at == NULL || !over_body(&reader, texts)) {
        return PyObject_CallOneArg(state->used.read_stated, body);
    }
    PyObject *stated = PyTuple_New(TEXTS);
    for (int at = 0; stated != NULL && at < TEXTS; at++) {
        Py_ssize_t size = texts[at].end - texts[at].at;
        PyObject *text = PyUnicode_New(size, 127);
        if (text == NULL) {
            Py_CLEAR(stated);
        }
        else {
            memcpy(PyUnicode_1BYTE_DATA(text), texts[at].at, size);
            PyTuple_SET_ITEM(stated, at, text);
        }
    }
    return stated;
}
