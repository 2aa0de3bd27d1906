/* The module: what Python handed over, the names that are looked up, and what is offered in return. */

#include "native.h"

#include <stddef.h>

#ifndef AUDITKIT_SOURCES
#define AUDITKIT_SOURCES "unknown"
#endif

typedef struct {
    const char *name;
    Py_ssize_t offset;
} Used;

#define AS_USED(named) {#named, offsetof(State, used.named)},

static const Used by_calls[] = {USED_BY_CALLS(AS_USED){NULL, 0}};
static const Used by_journals[] = {USED_BY_JOURNALS(AS_USED){NULL, 0}};
static const Used by_ledgers[] = {USED_BY_LEDGERS(AS_USED){NULL, 0}};

static PyObject **
field_of(State *state, const Used *used)
{
    return (PyObject **)((char *)state + used->offset);
}

/* Find what goes by a name. */
static const Used *
named(const Used *used, PyObject *name)
{
    while (used->name != NULL && PyUnicode_CompareWithASCIIString(name, used->name) != 0) {
        used++;
    }
    return used->name == NULL ? NULL : used;
}

/* Take what functions here need of Python modules, each of which hands over its own. */
static PyObject *
use(PyObject *module, PyObject *args, PyObject *kwargs)
{
    State *state = state_of(module);
    PyObject *name, *value;
    Py_ssize_t at = 0;
    if (PyTuple_GET_SIZE(args) != 0) {
        PyErr_SetString(PyExc_TypeError, "use takes everything by its name");
        return NULL;
    }
    while (kwargs != NULL && PyDict_Next(kwargs, &at, &name, &value)) {
        const Used *used = named(by_calls, name);
        if (used == NULL && (used = named(by_journals, name)) == NULL && (used = named(by_ledgers, name)) == NULL) {
            PyErr_Format(PyExc_TypeError, "use knows no %R", name);
            return NULL;
        }
        Py_XSETREF(*field_of(state, used), Py_NewRef(value));
    }
    Py_RETURN_NONE;
}

/* Whether everything was handed over; else an exception names what was not. */
static int
has_all(State *state, const Used *used, int *ready)
{
    for (; !*ready && used->name != NULL; used++) {
        if (*field_of(state, used) == NULL) {
            PyErr_Format(PyExc_RuntimeError, "auditkit.native was not given %s", used->name);
            return 0;
        }
    }
    return *ready = 1;
}

int
is_ready(State *state)
{
    return has_all(state, by_calls, &state->ready);
}

int
is_ready_to_write(State *state)
{
    return has_all(state, by_journals, &state->ready_to_write);
}

static PyMethodDef methods[] = {
    {"use", (PyCFunction)(void (*)(void))use, METH_VARARGS | METH_KEYWORDS, "Take what is needed of Python modules."},
    {"encode", (PyCFunction)encode, METH_O, "Return a draft as one line of ASCII JSON."},
    {"read_stated", (PyCFunction)read_stated, METH_O, "Return what a recorded body says of its event."},
    {"look", (PyCFunction)look, METH_O, "Return what was seen of a state, or None where it is not plain."},
    {"changes_since", (PyCFunction)(void (*)(void))changes_since, METH_FASTCALL,
     "Return what changed of a state since it was seen, or None where it is not plain."},
    {"is_clean", (PyCFunction)(void (*)(void))clean, METH_FASTCALL,
     "Return whether metadata needs no redaction; False where Python must look."},
    {NULL, NULL, 0, NULL},
};

static int
fill(PyObject *module)
{
    State *state = state_of(module);
#define INTERN(name)                                                                                                   \
    if ((state->names.name = PyUnicode_InternFromString(#name)) == NULL) {                                             \
        return -1;                                                                                                     \
    }
    NAMES(INTERN)
    state->tracing = PyUnicode_InternFromString("opentelemetry.trace");
    state->nothing = PyDict_New();
    state->no_arguments = PyTuple_New(0);
    state->no_text = PyUnicode_New(0, 0);
    state->modules = Py_XNewRef(PySys_GetObject("modules"));
    state->getattr = Py_XNewRef(PyDict_GetItemString(PyEval_GetBuiltins(), "getattr"));
    state->one = PyLong_FromLong(1);
    if (state->tracing == NULL || state->nothing == NULL || state->no_arguments == NULL || state->no_text == NULL ||
        state->modules == NULL || state->getattr == NULL || state->one == NULL) {
        return -1;
    }
#define ADD(field, make)                                                                                               \
    if ((state->field = make(module)) == NULL || PyModule_AddType(module, state->field) < 0) {                         \
        return -1;                                                                                                     \
    }
    ADD(call_type, make_call_type)
    ADD(called_type, make_called_type)
    ADD(site_type, make_site_type)
    ADD(chain_type, make_chain_type)
    ADD(segment_type, make_segment_type)
    ADD(journal_type, make_journal_type)
    ADD(ids_type, make_ids_type)
    ADD(trail_type, make_trail_type)
    ADD(scope_type, make_scope_type)
    ADD(stack_type, make_stack_type)
    ADD(scene_type, make_scene_type)
    return PyModule_AddStringConstant(module, "SOURCES", AUDITKIT_SOURCES);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, fill},
#if PY_VERSION_HEX >= 0x030c0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_SUPPORTED},
#endif
    {0, NULL},
};

PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "auditkit.native._compiled",
    .m_doc = "The hot path of an audited call, compiled; see auditkit.native.",
    .m_size = sizeof(State),
    .m_methods = methods,
    .m_slots = slots,
    /* No m_clear: what finalisers call at the interpreter's very end must find what it needs. */
};

PyMODINIT_FUNC
PyInit__compiled(void)
{
    return PyModuleDef_Init(&module_definition);
}
