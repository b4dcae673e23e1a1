/*
 * What is missing, estimated or coarser than it might be. What changes how numbers must be read
 * stands at the top of the page; the rest at its end.
 */
import type { Run } from "../data";
import { count, visible } from "../format";

export interface Notes {
  warnings: string[];
  remarks: string[];
}

function losses(run: Run): string[] {
  const { run: facts, processes } = run;
  const warnings: string[] = [];
  if (facts.seconds === null)
    warnings.push("This run is still going, or its recording was cut short: the page shows it as far as it was written.");
  if (facts.trouble) warnings.push(`Not everything could be recorded: ${visible(facts.trouble)}`);
  if (facts.lost_events > 0) warnings.push(`${count(facts.lost_events)} events were lost: numbers are too small by what they would have told.`);
  else if (facts.seconds !== null && !facts.complete && !facts.trouble) warnings.push("The recording is not complete.");
  const blind = processes.filter((process) => process.python !== null && !process.python_stacks);
  if (blind.length) warnings.push(`The stacks of Python ${blind[0]!.python} cannot be read: its allocations are counted without Python frames.`);
  const cut = facts.history ? processes.filter((process) => !process.whole_history) : [];
  if (cut.length)
    warnings.push(`The history of process ${cut.map((process) => process.pid).join(", ")} ends early: what the timeline chooses after that is not right.`);
  for (const process of processes) {
    if (process.out_of_memory) warnings.push(`Process ${process.pid} was killed by the kernel for want of memory.`);
    if (process.failed_allocations) warnings.push(`${count(process.failed_allocations)} allocations of process ${process.pid} failed.`);
  }
  return warnings;
}

function remarks(run: Run): string[] {
  const { limits, run: facts, totals, history } = run;
  const list: string[] = [];
  const unmatched = run.processes.reduce((sum, process) => sum + process.unmatched_frees, 0);
  const edges = history.edges.length;
  if (facts.history) {
    list.push(`A moment is one of ${count(edges)} of the run, the end of a span one of ${count(history.deathEdges.length)}; at these, numbers are exact, to the millisecond of the recording's clock.`);
  } else {
    list.push("The run was recorded without history: moments are ends of slices of time, and of a span only the net change of each row is known.");
  }
  list.push(
    limits.curves_played && facts.history
      ? "The heap over time is drawn as it was at these moments; the peak between them is marked. RSS is sampled every ten milliseconds or less often."
      : "The heap over time is sampled every ten milliseconds or less often; the highest line is the most between two samples, to the byte.",
  );
  if (limits.stacks_kept < limits.stacks)
    list.push(`${count(limits.stacks_kept)} of ${count(limits.stacks)} frames in stacks are shown; the others are folded into "other", from which the innermost line is kept. Sums by line are exact, sums with callees are not. heapline tree shows all.`);
  if (limits.time_stacks_kept < limits.stacks_kept)
    list.push(`At moments and in spans that the timeline chooses, ${count(limits.time_stacks_kept)} frames are shown, the others are folded into "other".`);
  if (limits.threads > run.threads.length) list.push(`There were ${count(limits.threads)} threads; those that allocated least are summed up.`);
  if (limits.processes < limits.processes_of_run) list.push(`The page is of ${count(limits.processes)} of the run's ${count(limits.processes_of_run)} processes.`);
  if (run.processes.length < limits.processes) list.push(`Of ${count(limits.processes)} processes those that held most are listed.`);
  if (limits.curves_summed) list.push(`${count(limits.curves_summed)} processes have one curve together.`);
  if (!totals.peak_known) list.push("The peak of the sum of these processes is not known; what stands as the peak is each one's own.");
  if (limits.processes > 1) list.push("The order of events in different processes is known to about a millisecond, and so is the peak of their sum.");
  if (limits.inherited) list.push("What forked children were forked with is part of what they hold.");
  if (limits.temporary > 1) list.push(`Temporary allocations are those freed before the same thread's ${limits.temporary}th next one.`);
  if (unmatched) list.push(`${count(unmatched)} blocks were freed that had been allocated before the recording began.`);
  if (run.processes.some((process) => !process.end_seen)) list.push("Where a process's teardown was not seen, its end is its exit.");
  list.push("Sizes are those asked for; mappings count whole pages. Of environment variables only a few that matter for memory are recorded, and none that could hold a secret.");
  return list;
}

export function notesOf(run: Run): Notes {
  return { warnings: losses(run), remarks: remarks(run) };
}
