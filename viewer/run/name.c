/*
 * Reads a command line as CPython would, as far as it takes to know the script.
 */
#include "viewer/run/name.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Options of python that take a value, beside -c and -m which end the options. */
#define PYTHON_VALUE_LETTERS "WXQ"
#define PYTHON_VALUE_OPTION  "--check-hash-based-pycs"
/* File names may have 255 bytes; this leaves room for the rest. */
#define NAME_BYTES_MAX 200

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* python, python3, python3.11, python3.13t, python3-dbg, … */
static bool is_python(const char *program)
{
    static const char prefix[] = "python";
    const char *name = base_name(program);
    if (strncmp(name, prefix, strlen(prefix)))
        return false;
    name += strlen(prefix);
    name += strspn(name, "0123456789.");
    return !*name || !strcmp(name, "t") || !strcmp(name, "d") || !strncmp(name, "-dbg", 4);
}

/* What a cluster of short options such as "-Xdev" or "-um" says about the words after it. */
enum cluster {
    CLUSTER_NO_VALUE,
    CLUSTER_VALUE,   /* the next word is an option's value */
    CLUSTER_COMMAND, /* -c */
    CLUSTER_MODULE,  /* -m */
};

/* `*rest` is the part of the word that is the value, empty when the next word is. */
static enum cluster read_cluster(const char *letters, const char **rest)
{
    for (; *letters; letters++) {
        *rest = letters + 1;
        if (*letters == 'c')
            return CLUSTER_COMMAND;
        if (*letters == 'm')
            return CLUSTER_MODULE;
        if (strchr(PYTHON_VALUE_LETTERS, *letters))
            return letters[1] ? CLUSTER_NO_VALUE : CLUSTER_VALUE;
    }
    return CLUSTER_NO_VALUE;
}

/* The script or module; NULL when there is none. */
static const char *python_script(char *const *arguments)
{
    for (; *arguments; arguments++) {
        const char *word = *arguments, *rest = "";
        if (word[0] != '-')
            return base_name(word);
        if (!word[1] || !strcmp(word, "--"))
            return word[1] && arguments[1] ? base_name(arguments[1]) : NULL;
        enum cluster cluster =
            word[1] == '-' ? (strcmp(word, PYTHON_VALUE_OPTION) ? CLUSTER_NO_VALUE : CLUSTER_VALUE)
                           : read_cluster(word + 1, &rest);
        if (cluster == CLUSTER_COMMAND)
            return NULL;
        if (cluster == CLUSTER_MODULE)
            return *rest ? rest : arguments[1];
        if (cluster == CLUSTER_VALUE && !*++arguments)
            return NULL;
    }
    return NULL;
}

static int length_without_suffix(const char *name)
{
    static const char *const suffixes[] = {".py", ".pyw", ".pyc"};
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        size_t suffix = strlen(suffixes[i]);
        if (length > suffix && !strcmp(name + length - suffix, suffixes[i]))
            length -= suffix;
    }
    return length > NAME_BYTES_MAX ? NAME_BYTES_MAX : (int)length;
}

char *name_program(char *const *command)
{
    const char *name = is_python(command[0]) ? python_script(command + 1) : NULL;
    if (!name || !*name)
        name = base_name(command[0]);
    char *result = strndup(name, (size_t)length_without_suffix(name));
    for (char *at = result; at && *at; at++)
        if (*at == '/')
            *at = '_';
    if (result && *result == '-')
        *result = '_';
    return result;
}

char *name_recording(char *const *command, pid_t pid)
{
    char *name = name_program(command), *result = NULL;
    if (name && asprintf(&result, "%s.%d.heapline", name, (int)pid) < 0)
        result = NULL;
    free(name);
    return result;
}
