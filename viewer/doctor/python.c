/*
 * Whether a Python can be traced, as far as that can be told without tracing it.
 *
 * What stands on the PATH may be a script that chooses one (pyenv, a virtual environment's
 * wrapper), so Python itself is asked which program it is; that file's headers say how it is
 * linked.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "viewer/base/cleanup.h"
#include "viewer/doctor/child.h"
#include "viewer/doctor/doctor.h"

/* The versions whose stacks the shim reads (preload/python/python_layout.c). */
#define MINOR_OLDEST 8
#define MINOR_NEWEST 15
/* A program has a dozen program headers. */
#define HEADERS_MAX 64

static const char question[] =
    "import os, platform, sys, sysconfig\n"
    "print(os.path.realpath('/proc/self/exe'))\n"
    "print(platform.python_implementation())\n"
    "print('.'.join(map(str, sys.version_info[:3])))\n"
    "print('free-threaded' if sysconfig.get_config_var('Py_GIL_DISABLED') else 'usual')\n";

/* What it answered; points into the child's output. */
struct answer {
    char *program, *implementation, *version, *build;
};

static bool answer_read(struct answer *answer, char *text)
{
    char *rest = text;
    answer->program = strsep(&rest, "\n");
    answer->implementation = strsep(&rest, "\n");
    answer->version = strsep(&rest, "\n");
    answer->build = strsep(&rest, "\n");
    return answer->build && *answer->program == '/';
}

/* --- how it is linked --- */

/* What an ELF file says. */
struct linkage {
    bool is_elf, is_x86_64;
    char loader[256]; /* empty: statically linked */
};

static void linkage_read(struct linkage *linkage, const char *path)
{
    CLEANUP(cleanup_close) int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    Elf64_Ehdr header;
    *linkage = (struct linkage){0};
    if (pread(descriptor, &header, sizeof header, 0) != sizeof header ||
        memcmp(header.e_ident, ELFMAG, SELFMAG))
        return;
    linkage->is_elf = true;
    linkage->is_x86_64 = header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_machine == EM_X86_64;
    for (size_t i = 0; linkage->is_x86_64 && i < header.e_phnum && i < HEADERS_MAX; i++) {
        Elf64_Phdr part;
        if (pread(descriptor, &part, sizeof part,
                  (off_t)(header.e_phoff + i * header.e_phentsize)) != sizeof part)
            return;
        size_t room = sizeof linkage->loader - 1;
        if (part.p_type == PT_INTERP &&
            pread(descriptor, linkage->loader, part.p_filesz < room ? part.p_filesz : room,
                  (off_t)part.p_offset) < 0)
            return;
    }
}

static void examine_linkage(struct findings *findings, const char *path)
{
    static const char subject[] = "Python's program";
    struct linkage linkage;
    linkage_read(&linkage, path);
    if (!linkage.is_elf)
        findings_add(findings, FINDING_NOTE, subject, NULL, "%s cannot be looked into", path);
    else if (!linkage.is_x86_64)
        findings_add(findings, FINDING_PROBLEM, subject, "use a Python for x86-64",
                     "%s is for another machine", path);
    else if (!*linkage.loader)
        findings_add(findings, FINDING_PROBLEM, subject, "use a dynamically linked Python",
                     "%s is statically linked: nothing can be preloaded", path);
    else if (strstr(linkage.loader, "musl"))
        findings_add(findings, FINDING_PROBLEM, subject,
                     "use a Python for glibc, in containers an image of Debian instead of Alpine",
                     "%s is linked with musl, and heapline with glibc", path);
    else
        findings_add(findings, FINDING_OK, subject, NULL, "%s, dynamically linked", path);
}

/* The dynamic loader ignores most of LD_PRELOAD in a program that has more rights than its user. */
static void examine_rights(struct findings *findings, const char *path)
{
    static const char subject[] = "Python's rights";
    static const char advice[] = "use a copy without set-user-id, set-group-id and capabilities";
    struct stat status;
    if (stat(path, &status) == 0 && (status.st_mode & (S_ISUID | S_ISGID)))
        findings_add(findings, FINDING_PROBLEM, subject, advice,
                     "%s is set-user-id or set-group-id: nothing can be preloaded", path);
    else if (getxattr(path, "security.capability", NULL, 0) > 0)
        findings_add(findings, FINDING_PROBLEM, subject, advice,
                     "%s has capabilities of its own: nothing can be preloaded", path);
    else
        findings_add(findings, FINDING_OK, subject, NULL, "those of its user");
}

/* --- what it is --- */

static void examine_version(struct findings *findings, const struct answer *answer)
{
    static const char subject[] = "Python's version";
    unsigned int major = 0, minor = 0;
    bool is_known = sscanf(answer->version, "%u.%u", &major, &minor) == 2 && major == 3 &&
                    minor >= MINOR_OLDEST && minor <= MINOR_NEWEST;
    if (strcmp(answer->implementation, "CPython"))
        findings_add(findings, FINDING_PROBLEM, subject, "use CPython",
                     "%s %s: only the stacks of CPython can be read", answer->implementation,
                     answer->version);
    else if (!strcmp(answer->build, "free-threaded"))
        findings_add(findings, FINDING_PROBLEM, subject, "use a build with the GIL",
                     "CPython %s, free-threaded: its stacks cannot be read", answer->version);
    else if (!is_known)
        findings_add(findings, FINDING_PROBLEM, subject, "use CPython 3.8 to 3.15",
                     "CPython %s: its stacks cannot be read", answer->version);
    else
        findings_add(findings, FINDING_OK, subject, NULL, "CPython %s", answer->version);
}

bool doctor_examine_python(struct findings *findings, char *const *command)
{
    static const char *const nothing[] = {NULL};
    static const char advice[] =
        "name the Python that runs your program: heapline doctor -- PYTHON";
    CLEANUP(cleanup_free) char **words = child_words(nothing, command, question);
    struct child_end end;
    struct answer answer;
    if (!child_run(&end, words, false, findings->progress, "asking Python")) {
        findings_add(findings, FINDING_PROBLEM, "Python", advice, "cannot run '%s': %s", command[0],
                     strerror(errno));
        return false;
    }
    if (end.status || !answer_read(&answer, end.output)) {
        findings_add(findings, FINDING_PROBLEM, "Python", advice,
                     "'%s' does not answer as a Python does", command[0]);
        return false;
    }
    examine_linkage(findings, answer.program);
    examine_rights(findings, answer.program);
    examine_version(findings, &answer);
    return true;
}

/* --- the environment --- */

static const struct variable {
    const char *name, *meaning;
} variables[] = {
    {"PYTHONMALLOC", "Python asks other allocators than usual; what is recorded is what they do"},
    {"PYTHONMALLOCSTATS", "Python prints statistics of its own allocator"},
    {"PYTHONDEVMODE", "Python adds checks to its allocators; the program is slower than usual"},
    {"PYTHONTRACEMALLOC", "tracemalloc runs too; what it needs itself is recorded with the rest"},
    {"LD_PRELOAD", "these libraries stay preloaded, behind heapline's"},
    {"LD_AUDIT", "what is loaded passes through another library first"},
    {"HEAPLINE_DAEMON", "programs with the shim go to this daemon"},
};

void doctor_examine_environment(struct findings *findings)
{
    size_t before = findings->count;
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        const char *value = getenv(variables[i].name);
        if (value && *value)
            findings_add(findings, FINDING_NOTE, "environment", NULL, "%s=%s: %s",
                         variables[i].name, value, variables[i].meaning);
    }
    if (findings->count == before)
        findings_add(findings, FINDING_OK, "environment", NULL, "nothing that changes allocations");
}
