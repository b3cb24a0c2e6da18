/** What the page reads: the same HTTP API as everybody else. */

import type { ExplainPlace, ExplainStep, Explanation } from '@tandem/contracts/routing.ts'
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
export type { CallView, ExplainPlace, ExplainStep, Explanation, Ladder }

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
  return await answerOf<T>(await fetch(path, { headers: { accept: 'application/json' } }))
}

/** `at`: RFC 3339. */
export async function explain(asked: { from: string; to: string; at?: string }): Promise<Explanation> {
  const headers = { accept: 'application/json', 'content-type': 'application/json' }
  return await answerOf(
    await fetch('/api/v1/routing/explain', { method: 'POST', headers, body: JSON.stringify(asked) }),
  )
}

async function answerOf<T>(response: Response): Promise<T> {
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
