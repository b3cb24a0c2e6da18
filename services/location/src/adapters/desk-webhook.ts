/** Tells a desk over HTTP: one bounded POST, no redirect followed, nothing of the answer kept. */

export interface Delivery {
  readonly delivered: boolean
  readonly detail: string
}

export async function postToDesk(
  url: string,
  body: unknown,
  timeoutMs: number,
  stopped: AbortSignal,
): Promise<Delivery> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      redirect: 'manual',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), stopped]),
    })
    await response.body?.cancel()
    return { delivered: response.ok, detail: `HTTP ${response.status}` }
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    const name = cause instanceof Error ? ('code' in cause ? String(cause.code) : '') || cause.name : String(cause)
    return { delivered: false, detail: name === 'TimeoutError' ? `no answer within ${timeoutMs} ms` : name }
  }
}
