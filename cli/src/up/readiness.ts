/** Asking a part over HTTP whether it can be used. */

/** Resolves on the first 2xx of the URL; rejects only when aborted. `onAnswer` hears each reason why not yet. */
export async function waitForHttp(url: string, signal: AbortSignal, onAnswer?: (why: string) => void): Promise<void> {
  for (let pause = 50; ; pause = Math.min(pause * 1.3, 500)) {
    signal.throwIfAborted()
    const why = await ask(url, signal)
    if (why === null) return
    onAnswer?.(why)
    await new Promise((done) => setTimeout(done, pause))
  }
}

async function ask(url: string, signal: AbortSignal): Promise<string | null> {
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(2000)]) })
    const body = (await response.json().catch(() => ({}))) as { why?: string }
    return response.ok ? null : (body.why ?? `status ${response.status}`)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
