/* Where objects of a class have their slots: a class with `__slots__` has a descriptor for each, which says it. */
#include "part.h"

#include <structmember.h>

void layout_of(State *state, Laid which, PyTypeObject *type) {
    Layout *layout = &state->layout[which];
    Layout found = {.type = (PyTypeObject *)Py_NewRef(type)};
    for (int i = 0; i < NAME_COUNT; i++) {
        PyObject *descriptor = PyObject_GetAttr((PyObject *)type, state->name[i]);
        if (!descriptor) {
            PyErr_Clear();
            continue;
        }
        if (Py_IS_TYPE(descriptor, &PyMemberDescr_Type) && PyType_IsSubtype(type, PyDescr_TYPE(descriptor))) {
            const PyMemberDef *member = ((PyMemberDescrObject *)descriptor)->d_member;
            if (member->type == T_OBJECT_EX && !member->flags) found.at[i] = member->offset;
        }
        Py_DECREF(descriptor);
    }
    PyTypeObject *before = layout->type;
    *layout = found;
    Py_XDECREF(before);
}
