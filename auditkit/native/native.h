/* What the files of the compiled hot path share: see __init__.py for what it is and why it is there.
 *
 * Every function here does what the Python function of the same name does, for plain values: exact built-in types,
 * short texts, arguments that are there. Whatever is not plain it hands to that Python function, before anything
 * was done that could be seen from outside. So nothing in C knows a rule that Python does not know too.
 */

#ifndef AUDITKIT_NATIVE_H
#define AUDITKIT_NATIVE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "fields.h"
#include "names.h"

#ifdef Py_GIL_DISABLED
#error "what is shared here is guarded by the interpreter's lock: without one, auditkit is pure Python"
#endif
#ifdef PYPY_VERSION
#error "PyPy compiles Python by itself: auditkit is pure Python there"
#endif

#define AS_FIELD(name) PyObject *name;

typedef struct {
    struct {
        USED_BY_CALLS(AS_FIELD)
        USED_BY_JOURNALS(AS_FIELD)
        USED_BY_LEDGERS(AS_FIELD)
    } used;
    struct {
        NAMES(AS_FIELD)
    } names;
    PyObject *getattr;      /* the builtin: how the attributes of most objects are read */
    PyObject *modules;      /* sys.modules */
    PyObject *tracing;      /* the name of OpenTelemetry's module */
    PyObject *nothing;      /* an empty dict, which nobody changes */
    PyObject *no_arguments; /* an empty tuple */
    PyObject *no_text;      /* an empty text */
    PyObject *one;          /* the number */
    PyTypeObject *call_type, *called_type, *site_type, *chain_type, *segment_type, *journal_type;
    PyTypeObject *ids_type, *trail_type, *scope_type, *stack_type, *scene_type;
    int ready, ready_to_write; /* whether everything was handed over */
} State;

/* One audited call; its methods are Python's (capture/call.py). */
typedef struct {
    PyObject_HEAD
    CALL_FIELDS(AS_OBJECT, Call)
} Call;

/* One audited function; what is rare of it is Python's (capture/site.py). */
typedef struct {
    /* clang-format off */
    PyObject_HEAD
    SITE_FIELDS(AS_OBJECT, Site)
        /* clang-format on */
        State *state; /* the module's, which outlives the type */
    char awaits, chooses, early_target, early_who, has_after, has_before, has_target, judges, looks_first, names_target,
        observes, only_changed, overlays, redacts, states, states_on_audit_error;
} Site;

/* What each call reads of other objects: of the classes in Python that are derived from these. */
typedef struct {
    PyObject_HEAD
    TRAIL_FIELDS(AS_OBJECT, Trail)
} Trail;

typedef struct {
    PyObject_HEAD
    SCOPE_FIELDS(AS_OBJECT, Scope)
} Scope;

typedef struct {
    PyObject_HEAD
    STACK_FIELDS(AS_OBJECT, Stack)
} Stack;

typedef struct {
    PyObject_HEAD
    SCENE_FIELDS(AS_OBJECT, Scene)
} Scene;

/* Return a new reference to what an object has under a name, also where it is of another class. */
#define READ(state, Type, type, object, name)                                                                          \
    (PyObject_TypeCheck(object, (state)->type) && ((Type *)(object))->name != NULL                                     \
         ? Py_NewRef(((Type *)(object))->name)                                                                         \
         : PyObject_GetAttr(object, (state)->names.name))
#define OF_TRAIL(state, trail, name) READ(state, Trail, trail_type, trail, name)
#define OF_SCOPE(state, scope, name) READ(state, Scope, scope_type, scope, name)
#define OF_STACK(state, stack, name) READ(state, Stack, stack_type, stack, name)
#define OF_SCENE(state, scene, name) READ(state, Scene, scene_type, scene, name)

/* A part that does something for plain values alone returns one of these. */
enum { FAILED = -1, NOT_PLAIN = 0, DONE = 1 };

static inline State *
state_of(PyObject *module)
{
    return (State *)PyModule_GetState(module);
}

/* Return the truth of an answer, which is taken, or -1 where it is an exception. */
static inline int
truth_of(PyObject *answer)
{
    if (answer == NULL) {
        return -1;
    }
    int truth = answer == Py_True ? 1 : answer == Py_False ? 0 : PyObject_IsTrue(answer);
    Py_DECREF(answer);
    return truth;
}

/* Return the truth of an attribute, or -1 with an exception. */
static inline int
is_true(PyObject *value, PyObject *name)
{
    return truth_of(PyObject_GetAttr(value, name));
}

/* Return a new reference to what a dict with a `__missing__` has, or NULL with an exception. */
static inline PyObject *
looked_up(PyObject *remembered, PyObject *key)
{
    PyObject *found = PyDict_GetItemWithError(remembered, key);
    if (found != NULL) {
        return Py_NewRef(found);
    }
    return PyErr_Occurred() ? NULL : PyObject_GetItem(remembered, key);
}

/* Say of an exception that is set: FAILED where it is not about the value, else NOT_PLAIN, with it cleared. */
static inline int
contained(State *state)
{
    if (PyErr_ExceptionMatches(state->used.NOT_OURS)) {
        return FAILED;
    }
    PyErr_Clear();
    return NOT_PLAIN;
}

/* Whether a value is a text that can be read at sight; Python 3.11 knows texts of an older kind. */
static inline int
is_text(PyObject *value)
{
#if PY_VERSION_HEX >= 0x030c0000
    return PyUnicode_Check(value);
#else
    return PyUnicode_Check(value) && PyUnicode_IS_READY(value);
#endif
}

static inline int
is_plain_text(PyObject *value)
{
    return PyUnicode_CheckExact(value) && PyUnicode_IS_ASCII(value);
}

/* module.c */
extern PyModuleDef module_definition;
int is_ready(State *state);
int is_ready_to_write(State *state);

/* errors.c */
PyObject *raised_exception(void);
void raise_again(PyObject *error);
PyObject *begin_handling(PyObject *error);
void end_handling(PyObject *before);

/* ids.c */
PyObject *id_at(State *state, PyObject *ids, PyObject *now_ns);

/* json.c */
PyObject *encoded(State *state, PyObject *draft);
PyObject *encode(PyObject *module, PyObject *draft);

/* stated.c */
PyObject *read_stated(PyObject *module, PyObject *body);

/* look.c */
int looked(State *state, PyObject *object, PyObject **seen);
int changed(State *state, PyObject *seen, PyObject *object, PyObject **changes);
PyObject *look(PyObject *module, PyObject *object);
PyObject *changes_since(PyObject *module, PyObject *const *arguments, Py_ssize_t count);

/* secrets.c */
int is_harmless(PyObject *value);
int is_clean(State *state, PyObject *decisions, PyObject *metadata);
PyObject *clean(PyObject *module, PyObject *const *arguments, Py_ssize_t count);

/* call.c */
int is_call(State *state, PyObject *object);
int is_made(Site *site);
void release(State *state, Call *call);

/* reference.c */
int is_whole(PyObject *place);
int argument_of(PyObject *place, Call *call, PyObject **value);
PyObject *target_of(Site *site, Call *call, PyObject *is_early);

/* before.c, compose.c, returned.c: a call, from its beginning to its end */
PyObject *begin(Site *site, PyObject *trail, PyObject *scope, PyObject *args, PyObject *kwargs);
PyObject *compose(Site *site, Call *call, PyObject *redactor);
int returned(Site *site, Call *call);

/* chain.c, segment.c: a record's line, and where it is written */
PyObject *linked(State *state, PyObject *chain, PyObject *previous, PyObject *body);
PyObject *appended(State *state, PyObject *segment, PyObject *body);

/* The types that Python's classes derive from. */
PyTypeObject *make_call_type(PyObject *module);
PyTypeObject *make_called_type(PyObject *module);
PyTypeObject *make_site_type(PyObject *module);
PyTypeObject *make_chain_type(PyObject *module);
PyTypeObject *make_segment_type(PyObject *module);
PyTypeObject *make_journal_type(PyObject *module);
PyTypeObject *make_ids_type(PyObject *module);
PyTypeObject *make_trail_type(PyObject *module);
PyTypeObject *make_scope_type(PyObject *module);
PyTypeObject *make_stack_type(PyObject *module);
PyTypeObject *make_scene_type(PyObject *module);

#endif
