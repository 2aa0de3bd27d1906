/* One call of an audited plain function, from its beginning to its end: `runners.run`. */

#include "native.h"

/* Return the trail that a call is recorded on: the one that was given when decorating, or the process's. */
static PyObject *
trail_of(Site *site)
{
    State *state = site->state;
    if (site->given != Py_None) {
        return Py_NewRef(site->given);
    }
    PyObject *trail = PyObject_GetAttr(state->used._current, state->names.trail);
    if (trail == Py_None) {
        Py_SETREF(trail, PyObject_CallMethodNoArgs(state->used._current, state->names.resolve));
    }
    return trail;
}

/* Whether calls are recorded here: not where auditkit is disabled, nor in what auditkit itself does. */
static int
is_recording(State *state, PyObject *trail, PyObject *scope)
{
    int enabled = truth_of(OF_TRAIL(state, trail, enabled));
    if (enabled <= 0 || scope == Py_None) {
        return enabled;
    }
    int suppressing = truth_of(OF_SCOPE(state, scope, suppressing));
    return suppressing < 0 ? -1 : !suppressing;
}

/* Call the function itself. */
static PyObject *
call_wrapped(Site *site, PyObject *args, PyObject *kwargs)
{
    return PyObject_Call(site->wrapped, args, PyDict_GET_SIZE(kwargs) ? kwargs : NULL);
}

/* Tell Python that the function raised, as an `except` clause would, and raise the same exception again. */
static void
end_raised(Site *site, Call *call, PyObject *token)
{
    if (!PyErr_Occurred()) { /* what was called broke its promise; the interpreter itself says it so */
        PyErr_Format(PyExc_SystemError, "%R returned NULL without setting an exception", site->wrapped);
    }
    PyObject *error = raised_exception();
    PyObject *before = begin_handling(error);
    PyObject *done =
        PyObject_CallFunctionObjArgs(site->state->used.failed, (PyObject *)site, (PyObject *)call, token, error, NULL);
    end_handling(before);
    if (done == NULL) { /* the end of the process, as a rule; it goes before */
        Py_DECREF(error);
        return;
    }
    Py_DECREF(done);
    raise_again(error);
}

/* Record that the function returned; give its result. */
static PyObject *
end_returned(Site *site, PyObject *trail, Call *call, PyObject *result)
{
    State *state = site->state;
    PyTypeObject *kind = Py_TYPE(result);
    if (kind == &PyCoro_Type || kind == &PyGen_Type || kind == &PyAsyncGen_Type) { /* perhaps nothing is done yet */
        PyObject *unfinished = PyDict_GetItemWithError(state->used.unfinished, (PyObject *)kind), *finishing = NULL;
        if (unfinished != NULL) {
            finishing = PyObject_CallFunctionObjArgs(unfinished, (PyObject *)site, (PyObject *)call, result, NULL);
        }
        if (finishing != Py_None) {
            Py_DECREF(result);
            return finishing;
        }
        Py_DECREF(finishing);
    }
    int waits = returned(site, call) < 0 ? -1 : truth_of(OF_TRAIL(state, trail, syncs_each));
    if (waits > 0) {
        PyObject *settled = PyObject_CallMethodObjArgs((PyObject *)site, state->names.settle, trail, result, NULL);
        Py_XDECREF(settled);
        waits = settled == NULL ? -1 : 0;
    }
    if (waits < 0) {
        Py_DECREF(result);
        return NULL;
    }
    return result;
}

static PyObject *
recorded(Site *site, PyObject *trail, PyObject *scope, PyObject *args, PyObject *kwargs)
{
    State *state = site->state;
    /* The call has names of its own: what is called may change those that it is given. */
    PyObject *names = PyDict_GET_SIZE(kwargs) ? PyDict_Copy(kwargs) : Py_NewRef(kwargs);
    Call *call = names == NULL ? NULL : (Call *)begin(site, trail, scope, args, names);
    Py_XDECREF(names);
    if (call == NULL) {
        return NULL;
    }
    PyObject *result = NULL, *token = PyContextVar_Set(state->used.CALL, (PyObject *)call);
    if (token != NULL) {
        result = call_wrapped(site, args, kwargs);
        if (result == NULL) {
            end_raised(site, call, token);
        }
        else {
            Py_XSETREF(call->result, Py_NewRef(result));
            if (PyContextVar_Reset(state->used.CALL, token) < 0) {
                Py_CLEAR(result);
            }
            else {
                result = end_returned(site, trail, call, result);
            }
        }
        Py_DECREF(token);
    }
    Py_DECREF(call);
    return result;
}

static PyObject *
run(Site *site, PyObject *args, PyObject *kwargs)
{
    State *state = site->state;
    PyObject *scope = NULL, *result = NULL;
    PyObject *trail = trail_of(site);
    if (trail != NULL && PyContextVar_Get(state->used.SCOPE, Py_None, &scope) == 0) {
        int recording = is_recording(state, trail, scope);
        if (recording >= 0) {
            result = recording ? recorded(site, trail, scope, args, kwargs) : call_wrapped(site, args, kwargs);
        }
    }
    Py_XDECREF(scope);
    Py_XDECREF(trail);
    return result;
}

/* Be called, as `runners.AuditedFunction`: what is called has a site as its `_self_site`. */
static PyObject *
call(PyObject *self, PyObject *args, PyObject *kwargs)
{
    PyObject *module = PyType_GetModuleByDef(Py_TYPE(self), &module_definition);
    if (module == NULL || (kwargs != NULL && !PyArg_ValidateKeywordArguments(kwargs))) {
        return NULL;
    }
    State *state = state_of(module);
    PyObject *site = PyObject_GetAttr(self, state->names._self_site), *result = NULL;
    if (site != NULL && !(PyObject_TypeCheck(site, state->site_type) && is_made((Site *)site))) {
        PyErr_SetString(PyExc_TypeError, "what is called has no site");
    }
    else if (site != NULL) {
        result = run((Site *)site, args, kwargs == NULL ? state->nothing : kwargs);
    }
    Py_XDECREF(site);
    return result;
}

static PyType_Slot slots[] = {
    {Py_tp_doc, "What makes the calls of an audited plain function; capture/runners.py has the rest."},
    {Py_tp_call, call},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "auditkit.native._compiled.Called",
    .basicsize = sizeof(PyObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = slots,
};

PyTypeObject *
make_called_type(PyObject *module)
{
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
}
