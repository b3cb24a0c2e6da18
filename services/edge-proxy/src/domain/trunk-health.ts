/**
 * Is the carrier there? (edge.md E4) Counts answers and silences in a row.
 *
 *   probing --up answers--> up --1 silence--> probing --down silences in a row--> down --1 answer--> probing (or up)
 */
export type Health = 'up' | 'probing' | 'down'

export interface HealthState {
  readonly health: Health
  /** In a row. */
  readonly answers: number
  readonly silences: number
}

export const UNKNOWN_HEALTH: HealthState = { health: 'probing', answers: 0, silences: 0 }

/** `alive`: a final response that proves it reachable, or none at all (false). */
export function afterProbe(
  state: HealthState,
  alive: boolean,
  thresholds: { readonly up: number; readonly down: number },
): HealthState {
  if (alive) {
    const answers = state.answers + 1
    const up = state.health === 'up' || answers >= thresholds.up
    return { health: up ? 'up' : 'probing', answers, silences: 0 }
  }
  const silences = state.silences + 1
  const down = state.health === 'down' || silences >= thresholds.down
  return { health: down ? 'down' : 'probing', answers: 0, silences }
}

/** An empty list of codes: any final response proves that somebody is there. */
export function provesAlive(status: number, codes: readonly number[]): boolean {
  return status >= 200 && (codes.length === 0 || codes.includes(status))
}
