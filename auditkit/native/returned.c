/* How a call that returned is recorded: `Site.returned`. */

#include "native.h"

/* Return the trail's rules, with the declaration's own names where it has some. */
static PyObject *
redactor_of(Site *site, PyObject *trail)
{
    PyObject *rules = OF_TRAIL(site->state, trail, redactor);
    if (rules == NULL || !site->redacts) {
        return rules;
    }
    PyObject *combined = PyObject_CallMethodOneArg((PyObject *)site, site->state->names._redactor, rules);
    Py_DECREF(rules);
    return combined;
}

/* Make the event of a call that returned, and hand it to the trail. */
static int
record(Site *site, Call *call)
{
    State *state = site->state;
    PyObject *redactor = redactor_of(site, call->trail), *draft = NULL, *written = NULL;
    if (redactor != NULL) {
        draft = site->overlays ? PyObject_CallFunctionObjArgs(state->used.compose, (PyObject *)call, redactor, NULL)
                               : compose(site, call, redactor);
        Py_DECREF(redactor);
    }
    if (draft != NULL) {
        written =
            draft == Py_None ? Py_NewRef(Py_None) : PyObject_CallMethodOneArg(call->trail, state->names.write, draft);
        Py_DECREF(draft);
    }
    Py_XDECREF(written);
    return written == NULL ? -1 : 0;
}

/* Whether a call is to be judged, or its event held, before it is recorded. */
static int
is_judged(Site *site, Call *call)
{
    if (site->judges || call->said != Py_None || call->declared != site->declared) {
        return 1;
    }
    if (call->scope == Py_None) {
        return 0;
    }
    PyObject *on_commit = OF_SCOPE(site->state, call->scope, on_commit);
    int held = on_commit == NULL ? -1 : on_commit != Py_None;
    Py_XDECREF(on_commit);
    return held;
}

/* Call a method of the site's with the call and perhaps one argument more. */
static int
ask(Site *site, PyObject *method, Call *call, PyObject *more)
{
    PyObject *answer = PyObject_CallMethodObjArgs((PyObject *)site, method, (PyObject *)call, more, NULL);
    Py_XDECREF(answer);
    return answer == NULL ? -1 : 0;
}

/* Take the exception that is set, which is one of auditkit's own, and have it counted. */
static int
could_not(Site *site, Call *call)
{
    if (!PyErr_ExceptionMatches(PyExc_Exception)) {
        return -1;
    }
    PyObject *error = raised_exception(), *before = begin_handling(error);
    int result = ask(site, site->state->names._could_not, call, error);
    end_handling(before);
    Py_DECREF(error);
    return result;
}

/* Record a call that returned: `Site.returned`. */
int
returned(Site *site, Call *call)
{
    State *state = site->state;
    int result = is_judged(site, call);
    if (result >= 0) {
        result = result ? ask(site, state->names._judge, call, NULL) : record(site, call);
    }
    if (result < 0 && could_not(site, call) < 0) {
        return -1;
    }
    if (PyObject_IsTrue(call->trouble) && ask(site, state->names._complain, call, NULL) < 0) {
        return -1;
    }
    release(state, call);
    return 0;
}
