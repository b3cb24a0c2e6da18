import type { Attempt, CallIdentity, RouteDecision, TrunkAttempt } from '@tandem/contracts/routing.ts'
import { shown, translateCalled } from './attempts.ts'
import type { Circumstances } from './circumstances.ts'
import type { RoutedTrunk, RoutingTable } from './table.ts'

/**
 * location.md L2: the next rung follows any 4xx to 6xx. Every such status that is registered for SIP, since the contract
 * lists single ones; 3xx are followed by the edge.
 */
const anyFailure: number[] = [
  400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 420, 421, 422, 423, 424,
  425, 428, 429, 430, 433, 436, 437, 438, 439, 440, 469, 470, 480, 481, 482, 483, 484, 485, 486, 487, 488, 489, 491,
  493, 494, 500, 501, 502, 503, 504, 505, 513, 555, 580, 600, 603, 604, 606, 607, 608,
]
const deskRingMs = 60_000
/** Together the contract's bound for one branch: the desk always has its place. */
const mostRungs = 48
const mostDesks = 16

/** `number`: the emergency number meant, without prefix. `back`: where the caller is reached again, E.164 if known. */
export function emergencyPlan(
  number: string,
  dialled: string,
  caller: CallIdentity,
  back: string,
  table: RoutingTable,
  circumstances: Circumstances,
): RouteDecision {
  const { emergency } = table
  const test = emergency.test.has(number)
  const attempts: Attempt[] = rungs(number, back, caller, table, circumstances).slice(0, mostRungs)
  for (const user of emergency.desk.slice(0, mostDesks)) {
    if (user !== caller.user) attempts.push({ kind: 'user', user, ringMs: deskRingMs })
  }
  if (attempts.length === 0) {
    const reason = 'No trunk of this configuration takes emergency calls and there is no desk: nothing can be done.'
    return { kind: 'reject', revision: table.revision, status: 480, reason, caller }
  }
  return {
    kind: 'route',
    revision: table.revision,
    emergency: true,
    ...(test ? { emergencyTest: true } : {}),
    dialled,
    caller,
    callee: { number },
    branches: [{ role: 'callee', delayMs: 0, attempts }],
  }
}

/** L2: the named trunks, the others that take emergency calls, then the relay centre's number over any trunk. */
function rungs(
  number: string,
  back: string,
  caller: CallIdentity,
  table: RoutingTable,
  c: Circumstances,
): TrunkAttempt[] {
  const { ladder, others, relayCentre } = table.emergency
  // Limits and drains do not bind emergency calls (L3); one that seems down comes after those that do not.
  const order = [...ladder.filter(({ name }) => !c.down.has(name)), ...ladder.filter(({ name }) => c.down.has(name))]
  // edge.md E11: the number goes out as dialled, not translated.
  const attempts = order.map((trunk) => rung(trunk, number, back, caller, table, c))
  for (const [place, trunk] of order.entries())
    c.note?.('selection', `trunk ${trunk.name}`, 'matched', `rung ${place + 1}: ${number}`)
  // A test call does not bother the people of the relay centre.
  if (relayCentre === undefined || table.emergency.test.has(number)) return attempts
  for (const trunk of [...order, ...others]) {
    c.note?.('selection', `trunk ${trunk.name}`, 'matched', `rung ${attempts.length + 1}: relay centre ${relayCentre}`)
    attempts.push(rung(trunk, translateCalled(trunk, relayCentre, c), back, caller, table, c))
  }
  return attempts
}

function rung(
  trunk: RoutedTrunk,
  called: string,
  back: string,
  caller: CallIdentity,
  { emergency }: RoutingTable,
  circumstances: Circumstances,
): TrunkAttempt {
  return {
    kind: 'trunk',
    trunk: trunk.name,
    called,
    ...shown(trunk, { number: back, display: caller.display }, circumstances),
    noResponseMs: emergency.noResponseMs,
    onlyTryingMs: emergency.onlyTryingMs,
    retry: anyFailure,
  }
}
