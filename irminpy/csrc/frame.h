/* Frames of the pack where they lie in maps; what is read there is explained in `frame.c`. */
#ifndef IRMINPY_FRAME_H
#define IRMINPY_FRAME_H

#include "core.h"

enum { WORD_NODE = 1, WORD_CONTENTS = 2, WORD_COMMIT = 3 };

typedef struct {
    int letter; /* the kind of frame */
    const uint8_t *canonical, *hints;
    Py_ssize_t size, hint_count;
    Py_ssize_t whole; /* bytes of the frame */
} Frame;

/* The map of a segment, which is held while frames in it are read. */
typedef struct {
    PyObject *bases, *segments;
    Py_ssize_t held; /* number of the segment, or -1 */
    uint64_t base;
    Py_ssize_t seen;
    Py_buffer map;
    uint8_t *made; /* a node that was made of a difference; NULL until there is one */
    Py_ssize_t room;
} Maps;

/* When nothing more is read. */
void let_go(Maps *maps);

/* The frame at `word`, if it is the one of `hash` and lies in a map; a node that is a difference as a whole. What is found holds
 * until the next call, which may let go of the map. */
int frame_at(Maps *maps, uint64_t word, int kind, const uint8_t *hash, Py_ssize_t head, State *state, Frame *found);

#endif
