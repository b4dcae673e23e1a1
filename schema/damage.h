/*
 * Why something that a process said, or held, is not in its recording: the reasons that the
 * collector counts by, one list for the recording's table `damage` and for those who say it. Each
 * is (constant, key in the table, what the count is a number of). Keys stay what they are; a reader
 * shows one that it does not know as it is.
 */
#ifndef HEAPLINE_SCHEMA_DAMAGE_H
#define HEAPLINE_SCHEMA_DAMAGE_H

#define DAMAGE_REASONS(REASON)                                                                     \
    REASON(DROPPED, "dropped", "records that the process had to drop")                             \
    REASON(HOLE, "hole", "gaps of words that were reserved and never came")                        \
    REASON(WORD, "word", "words that belong to no record")                                         \
    REASON(RECORD, "record", "records that were not whole or made no sense")                       \
    REASON(UNKNOWN, "unknown", "records of kinds that this version does not know")                 \
    REASON(STACK, "stack", "stacks that could not be followed")                                    \
    REASON(CODE, "code", "descriptions of code that made no sense")                                \
    REASON(UNFREED, "unfreed", "blocks whose free was not seen")                                   \
    REASON(UNDONE, "undone", "reallocs and unmappings that were taken back without having been")   \
    REASON(REPEATED, "repeated", "what was repeated more often than it is followed")               \
    REASON(MEMORY, "memory", "events for which the collector had no memory")                       \
    REASON(STREAM, "stream", "streams that broke off or made no sense")                            \
    REASON(INHERITANCE, "inheritance", "forks whose inheritance is not known")                     \
    REASON(LOOKS, "looks", "looks into files that were not granted to the process any more")

#define DAMAGE_CONSTANT(constant, key, words) DAMAGE_##constant,
#define DAMAGE_KEY(constant, key, words)      key,
#define DAMAGE_WORDS(constant, key, words)    words,

enum damage { DAMAGE_REASONS(DAMAGE_CONSTANT) DAMAGE_COUNT };

#endif
