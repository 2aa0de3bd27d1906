/* What is read before a call: `Site.begin` and `composition.observe`. */

#include "native.h"

/* Let Python do a part of what is read before the call. */
static int
left_to(PyObject *function, Call *call)
{
    PyObject *done = PyObject_CallOneArg(function, (PyObject *)call);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

/* Look at the state before the call: `composition._look_before`. */
static int
look_before(Site *site, Call *call)
{
    PyObject *object, *seen;
    if (!site->has_before) {
        return 0;
    }
    int result = is_whole(site->before) && !site->chooses ? argument_of(site->before, call, &object) : NOT_PLAIN;
    if (result == DONE) {
        result = looked(site->state, object, &seen);
        Py_DECREF(object);
    }
    if (result == NOT_PLAIN) {
        return left_to(site->state->used.look_before, call);
    }
    if (result == FAILED) {
        return -1;
    }
    Py_XSETREF(call->before, seen);
    return 0;
}

/* Read what must be read before the call: `composition.observe`. */
static int
observe(Site *site, Call *call)
{
    State *state = site->state;
    if (site->early_who) {
        return left_to(state->used.observe, call);
    }
    if (site->early_target) {
        PyObject *target = target_of(site, call, Py_True);
        if (target == NULL) {
            return -1;
        }
        if (target == state->used.LATER) {
            Py_SETREF(target, Py_NewRef(Py_None));
        }
        Py_XSETREF(call->target, target);
    }
    return look_before(site, call);
}

/* Refuse a call whose record could not be made, where that was asked for. */
static int
insist(Site *site, PyObject *trail, Call *call)
{
    State *state = site->state;
    int raises = site->states_on_audit_error ? 1 : truth_of(OF_TRAIL(state, trail, raises));
    if (raises <= 0) {
        return raises;
    }
    PyObject *answer = PyObject_CallMethodOneArg((PyObject *)site, state->names._raises, trail);
    raises = answer == NULL ? -1 : PyObject_IsTrue(answer);
    Py_XDECREF(answer);
    if (raises > 0) {
        answer = PyObject_CallMethodOneArg((PyObject *)site, state->names._insist, (PyObject *)call);
        Py_XDECREF(answer);
        return answer == NULL ? -1 : 0;
    }
    return raises;
}

PyObject *
begin(Site *site, PyObject *trail, PyObject *scope, PyObject *args, PyObject *kwargs)
{
    State *state = site->state;
    PyTypeObject *type = (PyTypeObject *)state->used.call_class;
    Call *call = (Call *)type->tp_alloc(type, 0);
    if (call == NULL) {
        return NULL;
    }
    call->declared = Py_NewRef(site->declared);
    call->trail = Py_NewRef(trail);
    call->scope = Py_NewRef(scope);
    call->args = Py_NewRef(args);
    call->kwargs = Py_NewRef(kwargs);
    call->before = Py_NewRef(Py_None);
    call->target = Py_NewRef(Py_None);
    call->who = Py_NewRef(Py_None);
    call->result = Py_NewRef(Py_None);
    call->error = Py_NewRef(Py_None);
    call->said = Py_NewRef(Py_None);
    call->awaited = Py_NewRef(Py_None);
    call->failed = Py_NewRef(Py_False);
    call->trouble = Py_NewRef(state->no_text);
    call->ids = PyList_New(0);
    if (call->ids == NULL || PyContextVar_Get(state->used.CALL, Py_None, &call->parent) < 0) {
        Py_DECREF(call);
        return NULL;
    }
    if (!site->awaits && ((site->looks_first && observe(site, call) < 0) || insist(site, trail, call) < 0)) {
        Py_DECREF(call);
        return NULL;
    }
    return (PyObject *)call;
}
