/** The stages of a walk, one after the other: which of its branches begin, what follows when all of them are over. */
import type { Attempt, NoAnswerCause } from '@tandem/contracts/routing.ts'
import {
  type AttemptState,
  type BranchState,
  type CancelReason,
  NOTHING,
  setAttempt,
  setBranch,
  take,
  type Walk,
  type WalkBranch,
  type WalkEffect,
  type WalkStep,
} from './walk-state.ts'
import { BUSY, best } from './walk-verdict.ts'

export const stageOf = (branch: WalkBranch | undefined): number => branch?.stage ?? 0

export function beginStage(walk: Walk, stage: number): WalkStep {
  let now: Walk = { ...walk, stage }
  const effects: WalkEffect[] = []
  walk.plan.forEach((branch, i) => {
    const here = stageOf(branch) === stage
    const waits = here ? branch.follows === undefined : branch.follows?.stage === stage
    if (branch.delayMs > 0 && waits) effects.push({ kind: 'set-delay', branch: i, ms: branch.delayMs })
    else if (here) now = take(beginNext(now, i), effects)
  })
  return settle(now, effects)
}

/** A branch of this stage that was to begin later; or the time is up for this stage, and the next one follows. */
export function delayed(walk: Walk, index: number): WalkStep {
  const branch = walk.plan[index]
  if (walk.kind !== 'walking' || branch === undefined || walk.branches[index]?.begun !== 0) return [walk, NOTHING]
  if (stageOf(branch) === walk.stage) return beginNext(walk, index)
  if (branch.follows?.stage !== walk.stage || stageOf(branch) <= walk.stage) return [walk, NOTHING]
  const effects: WalkEffect[] = []
  let now = walk
  walk.attempts.forEach((attempt, i) => {
    if (attempt.phase !== 'up') return
    now = take(leave(now, i, 'no-answer'), effects)
    effects.push({ kind: 'attempt-failed', attempt: i, status: 480, why: 'no-answer', next: branch.attempts[0] })
  })
  now = take(beginStage(endStage(now, 480), stageOf(branch)), effects)
  return [now, effects]
}

/** Nothing of this stage begins or rings any more. */
export function endStage(walk: Walk, status: number): Walk {
  const over = (state: BranchState, i: number): BranchState =>
    stageOf(walk.plan[i]) !== walk.stage || state.over
      ? state
      : { ...state, over: true, statuses: state.begun === 0 ? state.statuses : [...state.statuses, status] }
  const redirects = walk.redirects.map((redirect) => ({ ...redirect, phase: 'over' as const }))
  return { ...walk, branches: walk.branches.map(over), redirects }
}

/** docs/adr/0062: a word of the callee goes before a phone that rang, and that before silence. */
function causeOf(walk: Walk): NoAnswerCause {
  const here = walk.branches.filter((_, i) => stageOf(walk.plan[i]) === walk.stage)
  if (here.some(({ statuses }) => statuses.some((status) => BUSY.has(status)))) return 'busy'
  return here.some(({ rang }) => rang) ? 'no-answer' : 'unreachable'
}

export function following(walk: Walk, cause: NoAnswerCause): number | undefined {
  // stages go forward only: a plan that names itself ends
  const next = walk.plan.find(
    (branch) =>
      branch.follows?.stage === walk.stage && branch.follows.on.includes(cause) && stageOf(branch) > walk.stage,
  )
  return next === undefined ? undefined : stageOf(next)
}

export function beginNext(walk: Walk, branch: number): WalkStep {
  const state = walk.branches[branch] as BranchState
  if (walk.plan[branch]?.attempts[state.begun] === undefined) {
    return [setBranch(walk, branch, { ...state, over: true }), NOTHING]
  }
  const next = setBranch(walk, branch, { ...state, begun: state.begun + 1 })
  return begin(next, branch, state.begun, 0)
}

export function begin(walk: Walk, branch: number, index: number, path: number): WalkStep {
  const what = walk.plan[branch]?.attempts[index] as Attempt
  const attempt = walk.attempts.length
  const number = walk.attempts.filter((a) => a.branch === branch).length + 1
  const begun: AttemptState = { branch, index, path, more: 0, phase: 'launching', legs: [] }
  return [{ ...walk, attempts: [...walk.attempts, begun] }, [{ kind: 'launch', attempt, branch, what, number, path }]]
}

/** Branches of another plan: they begin with the stage that rings, and their later stages come after all of ours. */
export function inStages(walk: Walk, branches: readonly WalkBranch[]): WalkBranch[] {
  const last = Math.max(walk.stage, ...walk.plan.map(stageOf))
  const shifted = (stage: number) => (stage === 0 ? walk.stage : last + stage)
  return branches.map((branch) => {
    const { follows } = branch
    return {
      ...branch,
      stage: shifted(stageOf(branch)),
      follows: follows && { stage: shifted(follows.stage), on: follows.on },
    }
  })
}

/** Nobody has answered in this branch, nor at any place that it was sent on to. */
function isOver(walk: Walk, branch: number): boolean {
  const sentOn = walk.redirects.some((r) => r.phase !== 'over' && walk.attempts[r.attempt]?.branch === branch)
  return !sentOn && walk.branches[branch]?.over === true
}

/**
 * A place of a redirection is over: the next one is looked for. Nobody rings any more but a branch still waits for its
 * delay: it need not wait. All over: lost.
 */
export function settle(walk: Walk, effects: WalkEffect[]): WalkStep {
  if (walk.kind !== 'walking') return [walk, effects]
  const here = (i: number) => stageOf(walk.plan[i]) === walk.stage
  const at = walk.redirects.findIndex(
    (r) => r.phase === 'trying' && r.branches.every((i) => !here(i) || isOver(walk, i)),
  )
  const ended = walk.redirects[at]
  if (ended !== undefined) {
    const { attempt, leg } = ended
    effects.push({ kind: 'next-place', attempt, leg })
    return settle({ ...walk, redirects: walk.redirects.with(at, { ...ended, phase: 'asking' }) }, effects)
  }
  if (walk.redirects.some((r) => r.phase === 'asking')) return [walk, effects]
  if (walk.branches.some((b, i) => here(i) && b.begun > 0 && !b.over)) return [walk, effects]
  const waiting = walk.branches.findIndex((b, i) => here(i) && b.begun === 0 && !b.over)
  if (waiting >= 0) {
    const now = take(beginNext(walk, waiting), effects)
    return settle(now, effects)
  }
  const next = walk.branches.some((_, i) => here(i)) ? following(walk, causeOf(walk)) : undefined
  if (next !== undefined) return [take(beginStage(walk, next), effects), effects]
  effects.push({ kind: 'lose', status: best(walk.branches.flatMap((b) => b.statuses)) })
  return [{ ...walk, kind: 'lost' }, effects]
}

export function leave(walk: Walk, attempt: number, why: CancelReason): WalkStep {
  const state = walk.attempts[attempt] as AttemptState
  const effects: WalkEffect[] = [{ kind: 'clear-timers', attempt }]
  state.legs.forEach((leg, i) => {
    if (leg.phase !== 'over') effects.push({ kind: 'cancel', attempt, leg: i, why })
  })
  return [setAttempt(walk, attempt, { ...state, phase: 'left' }), effects]
}

export function leaveAll(walk: Walk, effects: WalkEffect[], why: CancelReason): Walk {
  let now = walk
  walk.attempts.forEach((attempt, i) => {
    if (attempt.phase === 'up') now = take(leave(now, i, why), effects)
  })
  return now
}
