/** Where a walk over a plan stands, what happens to it and what is to be done about it (plan-walk.ts). */
import type { Attempt, Branch, NoAnswerCause } from '@tandem/contracts/routing.ts'

export interface WalkBranch {
  /** Of the legs that come of it. */
  readonly role?: Branch['role']
  readonly delayMs: number
  readonly stage?: number | undefined
  readonly follows?: { readonly stage: number; readonly on: readonly NoAnswerCause[] } | undefined
  readonly attempts: readonly Attempt[]
}

export interface LegState {
  readonly phase: 'trying' | 'proceeding' | 'ringing' | 'over'
  readonly status: number
}

export interface AttemptState {
  readonly branch: number
  readonly index: number
  /** Which address of the trunk, from 0. */
  readonly path: number
  /** Addresses of the trunk that are left to try. */
  readonly more: number
  readonly phase: 'launching' | 'up' | 'left'
  readonly legs: readonly LegState[]
}

export interface BranchState {
  /** Attempts begun so far; 0: still delayed. */
  readonly begun: number
  readonly over: boolean
  /** Final status of every attempt that failed. */
  readonly statuses: readonly number[]
  /** Somebody's phone rang. */
  readonly rang: boolean
}

/** A 3xx that is followed: its places are tried one after the other (RFC 3261 8.1.3.4). */
export interface RedirectState {
  /** The leg that said it. */
  readonly attempt: number
  readonly leg: number
  /** `asking`: nobody answered at the last place, and the next one is looked for; `over`: there is none. */
  readonly phase: 'trying' | 'asking' | 'over'
  /** Branches of the place that is tried. */
  readonly branches: readonly number[]
}

export interface Walk {
  readonly kind: 'walking' | 'won' | 'lost' | 'cancelled'
  readonly emergency: boolean
  /** The stage that rings. */
  readonly stage: number
  readonly plan: readonly WalkBranch[]
  readonly branches: readonly BranchState[]
  /** Every attempt ever begun, in order; its place here is its number. */
  readonly attempts: readonly AttemptState[]
  readonly redirects: readonly RedirectState[]
}

export type WalkTimer = 'no-response' | 'only-trying' | 'ring'

export type WalkInput =
  | { readonly kind: 'start' }
  /**
   * How many INVITEs went out for the attempt, 0 with the status that says why not; `more` further addresses of the
   * trunk, or lower preferences of the user's contacts, are there when this one fails (edge.md E5).
   */
  | {
      readonly kind: 'launched'
      readonly attempt: number
      readonly legs: number
      readonly more?: number
      readonly status?: number
    }
  | { readonly kind: 'provisional'; readonly attempt: number; readonly leg: number; readonly status: number }
  /** 300-699. `lost`: nobody said so: 408 for a timeout, 503 for a transport error (RFC 3261 8.1.3.1). */
  | {
      readonly kind: 'final'
      readonly attempt: number
      readonly leg: number
      readonly status: number
      readonly lost?: boolean
      /** Nobody else is asked: the caller is told what was said. */
      readonly told?: boolean
    }
  /** Whoever took the INVITE has said where else the callee is: these branches take its place (RFC 3261 8.1.3.4). */
  | {
      readonly kind: 'redirected'
      readonly attempt: number
      readonly leg: number
      readonly status: number
      readonly branches: readonly WalkBranch[]
    }
  /** What `next-place` asked for: where the next place leads, nowhere when none is left. */
  | {
      readonly kind: 'placed'
      readonly attempt: number
      readonly leg: number
      readonly branches: readonly WalkBranch[]
    }
  | { readonly kind: 'answered'; readonly attempt: number; readonly leg: number }
  | { readonly kind: 'timer'; readonly timer: WalkTimer; readonly attempt: number }
  /** Nobody listens there (ICMP), and the INVITE is repeated all the same: a call for help. */
  | { readonly kind: 'unreachable'; readonly attempt: number }
  | { readonly kind: 'delay'; readonly branch: number }
  /** The caller has gone. */
  | { readonly kind: 'cancel' }

export type WalkEffect =
  | {
      readonly kind: 'launch'
      readonly attempt: number
      readonly branch: number
      readonly what: Attempt
      /** 1 for the first INVITE of the branch. */
      readonly number: number
      readonly path: number
    }
  | { readonly kind: 'cancel'; readonly attempt: number; readonly leg: number; readonly why: CancelReason }
  /** This leg's 2xx is the call's. */
  | { readonly kind: 'win'; readonly attempt: number; readonly leg: number }
  /** A 2xx that nobody wants any more: ACK it, then BYE. */
  | { readonly kind: 'discard'; readonly attempt: number; readonly leg: number }
  | { readonly kind: 'set-timer'; readonly timer: WalkTimer; readonly attempt: number; readonly ms: number }
  | { readonly kind: 'clear-timers'; readonly attempt: number }
  | { readonly kind: 'set-delay'; readonly branch: number; readonly ms: number }
  | {
      readonly kind: 'attempt-failed'
      readonly attempt: number
      readonly status: number
      readonly why: string
      readonly next: Attempt | undefined
    }
  /** Nobody answered at the last place that this leg's 3xx named. */
  | { readonly kind: 'next-place'; readonly attempt: number; readonly leg: number }
  /** Nobody answered; `status` is the best of what came (RFC 3261 16.7 step 6). */
  | { readonly kind: 'lose'; readonly status: number }

export type CancelReason =
  | 'answered-elsewhere'
  | 'caller-gone'
  | 'no-response'
  | 'only-trying'
  | 'no-answer'
  | 'declined'
export type WalkStep = readonly [Walk, readonly WalkEffect[]]

export const NOTHING: readonly WalkEffect[] = []

export function newWalk(plan: readonly WalkBranch[], emergency: boolean): Walk {
  return {
    kind: 'walking',
    emergency,
    stage: 0,
    plan,
    branches: plan.map(() => ({ begun: 0, over: false, statuses: [], rang: false })),
    attempts: [],
    redirects: [],
  }
}

export function attemptOf(walk: Walk, attempt: number): Attempt {
  const state = walk.attempts[attempt] as AttemptState
  return walk.plan[state.branch]?.attempts[state.index] as Attempt
}

export function take(stepped: WalkStep, effects: WalkEffect[]): Walk {
  effects.push(...stepped[1])
  return stepped[0]
}

export function setBranch(walk: Walk, index: number, state: BranchState): Walk {
  return { ...walk, branches: walk.branches.with(index, state) }
}

export function setAttempt(walk: Walk, index: number, state: AttemptState): Walk {
  return { ...walk, attempts: walk.attempts.with(index, state) }
}

export function setLeg(walk: Walk, attempt: number, leg: number, state: LegState): Walk {
  const now = walk.attempts[attempt] as AttemptState
  return setAttempt(walk, attempt, { ...now, legs: now.legs.with(leg, state) })
}
