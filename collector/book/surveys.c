/*
 * Their memory.
 */
#include "collector/book/surveys.h"

#include <stdlib.h>

void survey_deinit(struct survey *survey)
{
    for (uint32_t i = 0; i < survey->row_count; i++)
        free(survey->rows[i].name);
    free(survey->rows);
    free(survey->regions);
    free(survey->holders);
    free(survey->copied);
    *survey = (struct survey){0};
}

void surveys_deinit(struct surveys *surveys)
{
    places_deinit(&surveys->places);
    survey_deinit(&surveys->end);
    survey_deinit(&surveys->peak);
    for (uint32_t i = 0; i < surveys->asked_count; i++)
        survey_deinit(&surveys->asked[i]);
    free(surveys->asked);
    free(surveys->raw_caller);
    *surveys = (struct surveys){0};
}
