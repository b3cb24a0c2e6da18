/** Live state from server-sent events: the first frame is a picture, the others are changes. */
import { useEffect, useState } from 'react'
import type { CallView, PresenceState } from './api.ts'

export function useCalls(enabled: boolean): { calls: CallView[]; connected: boolean } {
  const [calls, setCalls] = useState<ReadonlyMap<string, CallView>>(new Map())
  const [connected, setConnected] = useState(false)
  useEffect(() => {
    if (!enabled) return
    const source = new EventSource('/api/v1/calls/stream')
    source.onopen = () => setConnected(true)
    source.onerror = () => setConnected(false)
    source.addEventListener('calls', (e) => {
      const all = JSON.parse((e as MessageEvent<string>).data) as CallView[]
      setCalls(new Map(all.map((c) => [c.callId, c])))
    })
    source.addEventListener('call', (e) => {
      const call = JSON.parse((e as MessageEvent<string>).data) as CallView
      setCalls((known) => trimmed(new Map(known).set(call.callId, call)))
    })
    return () => source.close()
  }, [enabled])
  return { calls: [...calls.values()].sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1)), connected }
}

const shown = 300
function trimmed(calls: Map<string, CallView>): Map<string, CallView> {
  for (const [id, call] of calls) {
    if (calls.size <= shown) break
    if (call.state === 'ended') calls.delete(id)
  }
  return calls
}

export function usePresence(enabled: boolean): PresenceState[] {
  const [states, setStates] = useState<ReadonlyMap<string, PresenceState>>(new Map())
  useEffect(() => {
    if (!enabled) return
    const source = new EventSource('/api/v1/presence/stream')
    source.addEventListener('presence', (e) => {
      const changed = JSON.parse((e as MessageEvent<string>).data) as PresenceState[]
      setStates((known) => new Map([...known, ...changed.map((s) => [s.user, s] as const)]))
    })
    return () => source.close()
  }, [enabled])
  return [...states.values()].sort((a, b) => a.user.localeCompare(b.user))
}

/** Ticks once a second, for durations. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000)
    return () => clearInterval(timer)
  }, [])
  return now
}
