/** What the page reads: the same HTTP API as everybody else. */

import type { Ladder } from '../domain/ladder.ts'
import type { CallView } from '../domain/live-calls.ts'

export interface PresenceState {
  user: string
  availability: string
  activities: string[]
  device?: string
  since: string
}
export interface TrunkView {
  name: string
  emergency: boolean
  limits?: { calls?: number }
  state: { health: string; calls?: number; registered?: boolean; roundTripMs?: number; why?: string }
}
export type { CallView, Ladder }

export class ApiProblem extends Error {
  readonly status: number
  constructor(status: number, detail: string) {
    super(detail)
    this.status = status
  }
}

/** Says whether the answer came from an open demonstration. */
export let openDemonstration = false

export async function read<T>(path: string): Promise<T> {
  const response = await fetch(path, { headers: { accept: 'application/json' } })
  openDemonstration = response.headers.has('tandem-open')
  const body: unknown = await response.json().catch(() => ({}))
  if (!response.ok) throw new ApiProblem(response.status, (body as { detail?: string }).detail ?? response.statusText)
  return body as T
}

/** EventSource cannot send a header, so the token lives in a cookie of this origin alone. */
export function keepToken(token: string): void {
  // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API is not in every browser yet
  document.cookie = `tandem-token=${encodeURIComponent(token)}; path=/; samesite=strict`
}
