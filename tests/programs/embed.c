/*
 * embed LIBPYTHON SCRIPT: a program that is no Python and gets one by dlopen, as an application
 * with a scripting plug-in does.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static void *library;

static void *symbol(const char *name)
{
    void *found = dlsym(library, name);
    if (found == NULL)
        fprintf(stderr, "embed: %s\n", dlerror());
    return found;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    library = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
    if (library == NULL) {
        fprintf(stderr, "embed: %s\n", dlerror());
        return 2;
    }
    void (*initialize)(void) = (void (*)(void))symbol("Py_Initialize");
    int (*finalize)(void) = (int (*)(void))symbol("Py_FinalizeEx");
    int (*run)(const char *, void *) =
        (int (*)(const char *, void *))symbol("PyRun_SimpleStringFlags");
    if (initialize == NULL || finalize == NULL || run == NULL)
        return 2;

    char text[8192];
    snprintf(
        text, sizeof(text),
        "path = '%s'\nexec(compile(open(path).read(), path, 'exec'), {'__name__': '__main__'})\n",
        argv[2]);
    initialize();
    int failed = run(text, NULL);
    return finalize() != 0 || failed;
}
