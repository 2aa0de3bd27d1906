/* A draft as its line of JSON: `encoding.encode`. */

#include "native.h"

typedef struct {
    char *start;
    Py_ssize_t size, room;
    char at_first[2048]; /* where nearly every event fits */
} Writer;

static int
reserve(Writer *writer, Py_ssize_t more)
{
    if (more <= writer->room - writer->size) {
        return 0;
    }
    if (more > PY_SSIZE_T_MAX / 2 - writer->size) {
        PyErr_NoMemory();
        return -1;
    }
    Py_ssize_t room = 2 * (writer->size + more);
    char *start = PyMem_Realloc(writer->start == writer->at_first ? NULL : writer->start, room);
    if (start == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (writer->start == writer->at_first) {
        memcpy(start, writer->at_first, writer->size);
    }
    writer->start = start;
    writer->room = room;
    return 0;
}

static int
put(Writer *writer, const char *text, Py_ssize_t size)
{
    if (reserve(writer, size) < 0) {
        return -1;
    }
    memcpy(writer->start + writer->size, text, size);
    writer->size += size;
    return 0;
}

#define PUT(writer, literal) put(writer, literal, sizeof(literal) - 1)

/* Append a text that holds nothing to be escaped. */
static int
put_raw(Writer *writer, PyObject *text)
{
    if (!is_text(text) || !PyUnicode_IS_ASCII(text)) {
        return NOT_PLAIN;
    }
    return put(writer, (const char *)PyUnicode_1BYTE_DATA(text), PyUnicode_GET_LENGTH(text)) < 0 ? FAILED : DONE;
}

static char *
escape_unit(char *end, unsigned unit)
{
    static const char digits[] = "0123456789abcdef";
    *end++ = '\\';
    *end++ = 'u';
    for (int shift = 12; shift >= 0; shift -= 4) {
        *end++ = digits[(unit >> shift) & 15];
    }
    return end;
}

/* Append one character as json's `encode_basestring_ascii` writes it; it takes 12 bytes at most. */
static char *
escape(char *end, Py_UCS4 character)
{
    switch (character) {
        case '"':
            *end++ = '\\';
            *end++ = '"';
            return end;
        case '\\':
            *end++ = '\\';
            *end++ = '\\';
            return end;
        case '\b':
            *end++ = '\\';
            *end++ = 'b';
            return end;
        case '\f':
            *end++ = '\\';
            *end++ = 'f';
            return end;
        case '\n':
            *end++ = '\\';
            *end++ = 'n';
            return end;
        case '\r':
            *end++ = '\\';
            *end++ = 'r';
            return end;
        case '\t':
            *end++ = '\\';
            *end++ = 't';
            return end;
        default: break;
    }
    if (character >= ' ' && character <= '~') {
        *end++ = (char)character;
        return end;
    }
    if (character >= 0x10000) {
        character -= 0x10000;
        end = escape_unit(end, 0xd800 | (character >> 10));
        return escape_unit(end, 0xdc00 | (character & 0x3ff));
    }
    return escape_unit(end, character);
}

static int
put_quoted(Writer *writer, PyObject *text)
{
    enum { LONGEST = 1 << 20 }; /* what is longer will be cut: it is not worth twelve times its size here */
    if (!is_text(text) || PyUnicode_GET_LENGTH(text) > LONGEST) {
        return NOT_PLAIN;
    }
    Py_ssize_t size = PyUnicode_GET_LENGTH(text);
    int widest = PyUnicode_MAX_CHAR_VALUE(text) < 0x10000 ? 6 : 12;
    if (reserve(writer, widest * size + 2) < 0) {
        return FAILED;
    }
    char *end = writer->start + writer->size;
    *end++ = '"';
    if (PyUnicode_IS_ASCII(text)) {
        const Py_UCS1 *data = PyUnicode_1BYTE_DATA(text);
        for (Py_ssize_t at = 0; at < size; at++) {
            Py_UCS1 c = data[at];
            if (c >= ' ' && c <= '~' && c != '"' && c != '\\') {
                *end++ = (char)c;
            }
            else {
                end = escape(end, c);
            }
        }
    }
    else {
        int kind = PyUnicode_KIND(text);
        const void *data = PyUnicode_DATA(text);
        for (Py_ssize_t at = 0; at < size; at++) {
            end = escape(end, PyUnicode_READ(kind, data, at));
        }
    }
    *end++ = '"';
    writer->size = end - writer->start;
    return DONE;
}

static int
put_optional(Writer *writer, PyObject *text)
{
    if (text == Py_None) {
        return PUT(writer, "null") < 0 ? FAILED : DONE;
    }
    return put_quoted(writer, text);
}

/* Append a scalar; what is none that is known at sight is Python's. */
static int
put_value(State *state, Writer *writer, PyObject *value)
{
    if (PyUnicode_CheckExact(value)) {
        return put_quoted(writer, value);
    }
    if (value == Py_None || value == Py_True || value == Py_False) {
        const char *word = value == Py_None ? "null" : value == Py_True ? "true" : "false";
        return put(writer, word, (Py_ssize_t)strlen(word)) < 0 ? FAILED : DONE;
    }
    PyObject *text = PyLong_CheckExact(value) || PyFloat_CheckExact(value)
                         ? PyObject_Repr(value)
                         : PyObject_CallOneArg(state->used.value_text, value);
    if (text == NULL) {
        return FAILED;
    }
    int result = put_raw(writer, text);
    Py_DECREF(text);
    return result;
}

static int
put_metadata(State *state, Writer *writer, PyObject *metadata)
{
    PyObject *key, *value;
    Py_ssize_t at = 0;
    const char *before = "{";
    if (!PyDict_CheckExact(metadata)) {
        return NOT_PLAIN;
    }
    while (PyDict_Next(metadata, &at, &key, &value)) {
        if (!PyUnicode_CheckExact(key)) {
            return NOT_PLAIN;
        }
        Py_INCREF(key);
        Py_INCREF(value);
        int result = put(writer, before, 1) < 0 ? FAILED : put_quoted(writer, key);
        if (result == DONE) {
            result = PUT(writer, ":") < 0 ? FAILED : put_value(state, writer, value);
        }
        Py_DECREF(key);
        Py_DECREF(value);
        if (result != DONE) {
            return result;
        }
        before = ",";
    }
    return (*before == '{' ? PUT(writer, "{}") : PUT(writer, "}")) < 0 ? FAILED : DONE;
}

static void
put_digits(char *end, int digits, long long number)
{
    while (digits-- > 0) {
        *--end = (char)('0' + number % 10);
        number /= 10;
    }
}

/* Append nanoseconds since the epoch as UTC with microseconds and Z.
 *
 * The day's date by the days since 0000-03-01, in eras of 400 years:
 * http://howardhinnant.github.io/date_algorithms.html
 */
static int
put_time(Writer *writer, PyObject *time_ns)
{
    int overflow;
    long long nanoseconds = PyLong_CheckExact(time_ns) ? PyLong_AsLongLongAndOverflow(time_ns, &overflow) : 0;
    if (!PyLong_CheckExact(time_ns) || overflow || nanoseconds < 0) {
        return NOT_PLAIN;
    }
    long long microseconds = nanoseconds / 1000, seconds = microseconds / 1000000;
    long long days = seconds / 86400 + 719468, of_day = seconds % 86400;
    long long era = days / 146097, day_of_era = days % 146097;
    long long year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    long long day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    long long month = (5 * day_of_year + 2) / 153, day = day_of_year - (153 * month + 2) / 5 + 1;
    month += month < 10 ? 3 : -9;
    long long year = year_of_era + era * 400 + (month <= 2);
    char text[] = "yyyy-mm-ddThh:mm:ss.ffffffZ";
    put_digits(text + 4, 4, year);
    put_digits(text + 7, 2, month);
    put_digits(text + 10, 2, day);
    put_digits(text + 13, 2, of_day / 3600);
    put_digits(text + 16, 2, of_day / 60 % 60);
    put_digits(text + 19, 2, of_day % 60);
    put_digits(text + 26, 6, microseconds % 1000000);
    return PUT(writer, text) < 0 ? FAILED : DONE;
}

static int
put_scene(State *state, Writer *writer, PyObject *scene)
{
    PyObject *encoded = OF_SCENE(state, scene, encoded);
    if (encoded != NULL && PyUnicode_Check(encoded) && PyUnicode_GET_LENGTH(encoded) == 0) {
        Py_SETREF(encoded, PyObject_CallOneArg(state->used.encode_scene, scene));
    }
    if (encoded == NULL) {
        return FAILED;
    }
    int result = put_raw(writer, encoded);
    Py_DECREF(encoded);
    return result;
}

/* In the order of `draft.Draft`. */
enum { ID, OCCURRED, SCENE, ACTION, ACTION_TYPE, TARGET_ID, TARGET_NAME, TARGET_TYPE, PARENT_ID, METADATA, FIELDS };

#define FIELD(literal, putting)                                                                                        \
    if (PUT(writer, literal) < 0) {                                                                                    \
        return FAILED;                                                                                                 \
    }                                                                                                                  \
    if ((result = putting) != DONE) {                                                                                  \
        return result;                                                                                                 \
    }

static int
put_draft(State *state, Writer *writer, PyObject *draft)
{
    int result;
    PyObject **fields = &PyTuple_GET_ITEM(draft, 0);
    FIELD("{\"id\":", put_quoted(writer, fields[ID]))
    FIELD(",\"occurred_at\":\"", put_time(writer, fields[OCCURRED]))
    FIELD("\",", put_scene(state, writer, fields[SCENE]))
    FIELD(",\"action\":\"", put_raw(writer, fields[ACTION]))
    FIELD("\",\"action_type\":\"", put_raw(writer, fields[ACTION_TYPE]))
    FIELD("\",\"target_id\":", put_quoted(writer, fields[TARGET_ID]))
    FIELD(",\"target_name\":", put_quoted(writer, fields[TARGET_NAME]))
    FIELD(",\"target_type\":", put_quoted(writer, fields[TARGET_TYPE]))
    FIELD(",\"parent_id\":", put_optional(writer, fields[PARENT_ID]))
    FIELD(",\"metadata\":", put_metadata(state, writer, fields[METADATA]))
    return PUT(writer, "}") < 0 ? FAILED : DONE;
}

/* Return a draft as one line of JSON. */
PyObject *
encoded(State *state, PyObject *draft)
{
    Writer writer;
    writer.start = writer.at_first;
    writer.size = 0;
    writer.room = sizeof(writer.at_first);
    int result = NOT_PLAIN;
    if (PyTuple_Check(draft) && PyTuple_GET_SIZE(draft) == FIELDS) {
        result = put_draft(state, &writer, draft);
    }
    PyObject *body = NULL;
    if (result == DONE) {
        body = PyBytes_FromStringAndSize(writer.start, writer.size);
    }
    else if (result == NOT_PLAIN) {
        body = PyObject_CallOneArg(state->used.encode, draft);
    }
    if (writer.start != writer.at_first) {
        PyMem_Free(writer.start);
    }
    return body;
}

PyObject *
encode(PyObject *module, PyObject *draft)
{
    State *state = state_of(module);
    if (state->used.encode == NULL || state->used.encode_scene == NULL || state->used.value_text == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "auditkit.native was not given what encodes");
        return NULL;
    }
    return encoded(state, draft);
}
