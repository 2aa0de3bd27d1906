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

#ifdef Py_GIL_DISABLED
#error "what is shared here is guarded by the interpreter's lock: without one, auditkit is pure Python"
#endif
#ifdef PYPY_VERSION
#error "PyPy compiles Python by itself: auditkit is pure Python there"
#endif

/* What Python modules hand over with `use`, each under its own name there: for calls, and for journals on disk. */
#define USED_BY_CALLS(each)                                                                                            \
    each(CALL) each(SCOPE) each(_current) each(call_class)                     /* where the process's state is */      \
    each(WAYS) each(PLANS) each(HeldColumns) each(SlotColumns)                 /* how values are read */               \
    each(names) each(small) each(most) each(NOT_OURS)                                                                  \
    each(observe) each(target) each(given_target) each(unread_target) each(LATER) each(changes) each(stated) each(merged) each(ambient)                       \
    each(compose) each(draft_type) each(new_id) each(id_at)                            /* how an event is made */              \
    each(failed) each(finishing) each(coroutine_type)                          /* how a call ends otherwise */         \
    each(encode) each(encode_scene) each(value_text)                           /* how JSON is made otherwise */
#define USED_BY_JOURNALS(each)                                                                                         \
    each(sha256) each(files) each(append) each(guarded) each(longest) each(NOWHERE)
#define USED_BY_LEDGERS(each) each(read_stated)

/* The attributes that are read, and the methods that are called. */
#define NAMES(each)                                                                                                    \
    each(action) each(action_type) each(after) each(awaits) each(before) each(category) each(early_target)             \
    each(early_who) each(exclude) each(fields) each(judges) each(looks_first) each(observes) each(on_audit_error) each(only_changed)              \
    each(overlays) each(place) each(redact) each(states) each(target) each(target_name) /* of a declaration */                  \
    each(defaults) each(enabled) each(note_unchanged) each(raises) each(redactor) each(require) each(resolve)          \
    each(scene) each(syncs_each) each(time_ns) each(trace_ids) each(trail) each(write)      /* of a trail */           \
    each(_made) each(generation) each(on_commit) each(stack) each(suppressing) /* of a scope */                        \
    each(encoded) each(metadata) each(missing)                                 /* of a scene */                        \
    each(columns) each(held) each(names) each(private) each(read)              /* of a plan */                         \
    each(_decisions) each(apply)                                               /* of a redactor */                     \
    each(_could_not) each(_complain) each(_insist) each(_judge) each(_raises) each(_redactor) each(_self_site)         \
    each(settle) each(event_id)                                                /* of a site, and of a call */          \
    each(_catch_up) each(_refuse) each(_write) each(acquire) each(append) each(latest) each(number) each(release)      \
    each(tell) each(waiting)                                                   /* of a journal */                      \
    each(_stumble) each(copy) each(digest) each(fd) each(name) each(pwrite) each(update) each(write_at) /* of a segment */

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
    PyObject *getattr;       /* the builtin: how the attributes of most objects are read */
    PyObject *modules;       /* sys.modules */
    PyObject *tracing;       /* the name of OpenTelemetry's module */
    PyObject *nothing;       /* an empty dict, which nobody changes */
    PyObject *no_arguments;  /* an empty tuple */
    PyObject *no_text;       /* an empty text */
    PyObject *one;           /* the number */
    PyTypeObject *call_type, *called_type, *site_type, *chain_type, *segment_type, *journal_type;
    PyTypeObject *ids_type, *trail_type;
    int ready, ready_to_write;  /* whether everything was handed over */
} State;

/* One audited call; its methods are Python's (capture/call.py). Any field but the first ones may be NULL: unset. */
#define CALL_FIELDS(each)                                                                                              \
    each(args) each(awaited) each(before) each(declared) each(error) each(failed) each(ids) each(kwargs) each(parent)  \
    each(result) each(said) each(scope) each(target) each(trail) each(trouble) each(who)

typedef struct {
    PyObject_HEAD
    CALL_FIELDS(AS_FIELD)
} Call;

/* One audited function; what is rare of it is Python's (capture/site.py). */
#define SITE_FIELDS(each)                                                                                              \
    each(wrapped) each(declared) each(given)                                                                           \
    each(action) each(action_type) each(category)        /* of the declaration */                                      \
    each(before) each(after) each(target)                /* where these stand in a call: `reference.Place`, or None */

typedef struct {
    PyObject_HEAD
    SITE_FIELDS(AS_FIELD)
    State *state;  /* the module's, which outlives the type */
    char awaits, chooses, early_target, early_who, has_after, has_before, has_target, judges, looks_first,
        names_target, observes, only_changed, overlays, redacts, states, states_on_audit_error;
} Site;

/* What calls ask of a trail (`protocols.Recorder`); a trail that Python alone has made keeps it as any object does. */
#define TRAIL_FIELDS(each)                                                                                             \
    each(defaults) each(enabled) each(raises) each(redactor) each(scene) each(syncs_each) each(time_ns) each(trace_ids)

typedef struct {
    PyObject_HEAD
    TRAIL_FIELDS(AS_FIELD)
} Trail;

/* Return a new reference to what a trail has under a name. */
#define OF_TRAIL(state, trail, name)                                                                                   \
    (PyObject_TypeCheck(trail, (state)->trail_type) && ((Trail *)(trail))->name != NULL                                \
         ? Py_NewRef(((Trail *)(trail))->name)                                                                         \
         : PyObject_GetAttr(trail, (state)->names.name))

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

#endif
