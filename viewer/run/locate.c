/*
 * Finds heaplined and libheapline.so from where this program lies: in a build folder all three are
 * in one place, installed they are PREFIX/bin/heapline, PREFIX/bin/heaplined and
 * PREFIX/lib.../heapline/libheapline.so. The environment has no say, so that nobody can make
 * heapline preload something else.
 *
 * The dynamic loader splits LD_PRELOAD at spaces and colons and has no way to quote them: a shim in
 * such a folder would silently not be loaded, which is refused here instead.
 */
#include "viewer/run/locate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "viewer/run/message.h"

#ifndef HEAPLINE_LIBDIR
#define HEAPLINE_LIBDIR "lib"
#endif

/* From the folder of the program to the shim. */
static const char *const shim_places[] = {
    "libheapline.so",
    "../" HEAPLINE_LIBDIR "/heapline/libheapline.so",
    "../lib/heapline/libheapline.so",
};

static bool path_join(char *path, int folder_length, const char *folder, const char *name)
{
    return snprintf(path, PATH_MAX, "%.*s/%s", folder_length, folder, name) < PATH_MAX;
}

static bool find_shim(char *shim, int folder_length, const char *folder)
{
    for (size_t i = 0; i < sizeof shim_places / sizeof *shim_places; i++) {
        char path[PATH_MAX];
        if (path_join(path, folder_length, folder, shim_places[i]) && access(path, R_OK) == 0 &&
            realpath(path, shim))
            return true;
    }
    return false;
}

bool locate_from(struct locations *locations, const char *self)
{
    int folder_length = (int)(strrchr(self, '/') - self);
    if (!path_join(locations->collector, folder_length, self, "heaplined") ||
        access(locations->collector, X_OK) != 0) {
        run_fail("there is no program heaplined in %.*s; install heapline completely",
                 folder_length, self);
        return false;
    }
    if (!find_shim(locations->shim, folder_length, self)) {
        run_fail("there is no libheapline.so in %.*s or ../lib/heapline; install heapline "
                 "completely",
                 folder_length, self);
        return false;
    }
    if (strpbrk(locations->shim, " :")) {
        run_fail("%s cannot be preloaded because of the space or colon in its path; move heapline "
                 "to another folder",
                 locations->shim);
        return false;
    }
    return true;
}

bool locations_find(struct locations *locations)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0) {
        run_fail("cannot find my own folder: /proc is not mounted");
        return false;
    }
    self[length] = '\0';
    return locate_from(locations, self);
}
