/* What differs between two directories and below them, where their nodes differ in nothing but hashes (irminpy/tree/diff.py).
 *
 * What is not so, or would be more than may be opened in one call, is told as it stands, unread, for Python to go on with. */
#include "proof.h"
#include "record.h"

/* Two nodes that are compared, child by child. */
typedef struct {
    PyObject *left, *right;
    PyObject *step; /* that led here, borrowed from the node above; NULL for a part of the directory above */
    PyObject *steps; /* of a flat node, once one of them is needed */
    Py_ssize_t n, at;
} Pair;

typedef struct {
    Nodes sides[2]; /* where the left one and the right one are read */
    Pair *pairs;
    size_t n, room;
    PyObject *found;
    Py_ssize_t left; /* pairs that may still be opened */
} Comparison;

/* In all that follows: 1 if it is done, 0 if that is for Python to do, -1 with an error set. */

/* Whether the nodes differ in hashes alone; both are kept then, until they are compared. */
static int push(Comparison *c, PyObject *left, PyObject *right, PyObject *step) {
    Pair pair = {.left = left, .right = right, .step = step};
    PyObject *hashes, *others;
    if (is_inode(left) && is_inode(right)) {
        pair.n = PyBytes_GET_SIZE(field(left, 1));
        if (size_of(field(left, 0)) != size_of(field(right, 0)) || PyBytes_GET_SIZE(field(right, 1)) != pair.n ||
            memcmp(PyBytes_AS_STRING(field(left, 1)), PyBytes_AS_STRING(field(right, 1)), (size_t)pair.n) ||
            !regular_inode(left, pair.n) || !regular_inode(right, pair.n))
            return 0;
    } else if (is_node(left) && is_node(right)) {
        PyObject *head = field(left, 5), *other = field(right, 5);
        hashes = field(left, 2);
        others = field(right, 2);
        pair.n = PyBytes_GET_SIZE(field(left, 1));
        /* The bytes of a head are those of a node but for its hashes. */
        if (!PyBytes_CheckExact(head) || !PyBytes_CheckExact(other) || !PyBytes_GET_SIZE(head) ||
            PyBytes_GET_SIZE(head) != PyBytes_GET_SIZE(other) ||
            memcmp(PyBytes_AS_STRING(head), PyBytes_AS_STRING(other), (size_t)PyBytes_GET_SIZE(head)) ||
            !PyBytes_CheckExact(hashes) || !PyBytes_CheckExact(others) || pair.n > MOST / HASH ||
            PyBytes_GET_SIZE(hashes) != pair.n * HASH || PyBytes_GET_SIZE(others) != pair.n * HASH ||
            PyDict_GET_SIZE(field(left, 0)) != pair.n)
            return 0;
        for (int side = 0; side < 2; side++) {
            PyObject *words = field(side ? right : left, 4);
            if (!PyBytes_CheckExact(words) || (PyBytes_GET_SIZE(words) && PyBytes_GET_SIZE(words) != 8 * pair.n)) return 0;
        }
    } else {
        return 0;
    }
    if (!grow((void **)&c->pairs, &c->room, c->n, 1, sizeof *c->pairs)) return -1;
    Py_INCREF(left);
    Py_INCREF(right);
    c->pairs[c->n++] = pair;
    return 1;
}

/* The column of hashes of a node of either kind. */
static const char *hashes_of(PyObject *record) {
    return PyBytes_AS_STRING(field(record, PyTuple_GET_SIZE(record) == INODE ? 3 : 2));
}

/* Tells of child `i` of the pair on top: a bucket, as ~i, or an entry. */
static int tell(Comparison *c, Py_ssize_t i) {
    const Pair *top = &c->pairs[c->n - 1];
    Py_ssize_t n = 0, at = 0;
    for (size_t j = 0; j < c->n; j++) n += c->pairs[j].step != NULL;
    int inner = PyTuple_GET_SIZE(top->left) == INODE;
    PyObject *path = PyTuple_New(n + !inner);
    if (!path) return -1;
    for (size_t j = 0; j < c->n; j++)
        if (c->pairs[j].step) PyTuple_SET_ITEM(path, at++, Py_NewRef(c->pairs[j].step));
    if (!inner) PyTuple_SET_ITEM(path, at, Py_NewRef(PyList_GET_ITEM(top->steps, i)));
    PyObject *items[] = {path, Py_NewRef(top->left), Py_NewRef(top->right), PyLong_FromSsize_t(inner ? ~i : i)};
    PyObject *item = tuple_of(4, items);
    int done = item && PyList_Append(c->found, item) == 0 ? 1 : -1;
    Py_XDECREF(item);
    return done;
}

/* The root of the directory at position `i` of the flat node, if it is known where it lies. */
static int open_directory(PyObject *node, Py_ssize_t i, const Nodes *from, PyObject **record) {
    if (!PyBytes_GET_SIZE(field(node, 4))) return 0;
    PyObject *word = word_at(field(node, 4), i), *found = NULL;
    PyObject *hash = PyBytes_FromStringAndSize(PyBytes_AS_STRING(field(node, 2)) + i * HASH, HASH);
    int placed = word && size_of(word) > 0;
    if (hash && placed) found = node_at(hash, word, from);
    Py_XDECREF(hash);
    Py_XDECREF(word);
    if (!hash || !word || (placed && !found)) return -1;
    if (!placed) return 0;
    *record = found;
    return is_root(found);
}

/* Goes on to child `i` of the pair on top, or tells of it. What is called may run any Python. */
static int enter(Comparison *c, Py_ssize_t i) {
    Pair *top = &c->pairs[c->n - 1];
    int inner = PyTuple_GET_SIZE(top->left) == INODE, done = 1;
    if (!inner && !top->steps && !(top->steps = PyDict_Keys(field(top->left, 0)))) return -1;
    if (!inner && PyList_GET_SIZE(top->steps) != top->n) return 0;
    if (c->left <= 0 || (!inner && PyBytes_AS_STRING(field(top->left, 1))[i] != 0)) return tell(c, i);
    c->left--;
    PyObject *records[2] = {NULL, NULL}, *sides[2] = {top->left, top->right};
    for (int side = 0; done == 1 && side < 2; side++) {
        done = inner ? open_bucket(sides[side], i, &c->sides[side], &records[side])
                     : open_directory(sides[side], i, &c->sides[side], &records[side]);
    }
    if (done == 1) done = push(c, records[0], records[1], inner ? NULL : PyList_GET_ITEM(c->pairs[c->n - 1].steps, i));
    if (done == 0) done = tell(c, i);
    Py_XDECREF(records[0]);
    Py_XDECREF(records[1]);
    return done;
}

/* unlike(left, right, recent, load, recent, load, most) */
FUNCTION(unlike) {
    Comparison c = {.left = nargs == 7 ? size_of(args[6]) : -1};
    if (c.left < 1) return REFER(unlike);
    for (int side = 0; side < 2; side++) c.sides[side] = (Nodes){args[2 + 2 * side], args[3 + 2 * side], NULL};
    int done = (c.found = PyList_New(0)) ? push(&c, args[0], args[1], NULL) : -1;
    while (done == 1 && c.n) {
        Pair *top = &c.pairs[c.n - 1];
        const char *ours = hashes_of(top->left), *theirs = hashes_of(top->right);
        while (top->at < top->n && !memcmp(ours + top->at * HASH, theirs + top->at * HASH, HASH)) top->at++;
        if (top->at < top->n) {
            done = enter(&c, top->at++);
        } else {
            Py_DECREF(top->left);
            Py_DECREF(top->right);
            Py_XDECREF(top->steps);
            c.n--;
        }
    }
    for (size_t i = 0; i < c.n; i++) {
        Py_DECREF(c.pairs[i].left);
        Py_DECREF(c.pairs[i].right);
        Py_XDECREF(c.pairs[i].steps);
    }
    PyMem_Free(c.pairs);
    if (done == 1) return c.found;
    Py_XDECREF(c.found);
    return done ? NULL : REFER(unlike);
}

PyMethodDef unlike_methods[] = {
    METHOD(unlike, "What differs between two directories and below them."),
    {NULL, NULL, 0, NULL},
};
