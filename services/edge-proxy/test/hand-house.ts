/** A house whose two trunks are hands: whoever calls on the near one reaches the far one. */
import assert from 'node:assert/strict'
import type { TrunkAttempt } from '@tandem/contracts/routing.ts'
import { steadyPort } from '@tandem/testing/ports.ts'
import { type CallEdge, type CallEdgeOptions, plan, startCallEdge, toTrunk } from './call-edge.ts'
import { HandCallee, HandCaller, sdp } from './hand-call.ts'
import { type RawPeer, rawPeer } from './raw-peer.ts'

export interface HandHouse {
  readonly house: CallEdge
  readonly near: RawPeer
  readonly far: RawPeer
  readonly edgePort: number
  /** The caller calls a fresh number that is routed to the far trunk. */
  begin(parts?: HandParts): Promise<{ caller: HandCaller; callee: HandCallee; number: string }>
  /** The same, answered under the tag `a` with the caller's ACK through. */
  talk(parts?: HandParts): Promise<{ caller: HandCaller; callee: HandCallee; number: string }>
  /** The caller hangs up. */
  end(caller: HandCaller, callee: HandCallee, tag?: string): Promise<void>
  /** Waits until no call is left; fails when one is. */
  assertEmpty(): Promise<void>
  close(): Promise<void>
}

export interface HandParts {
  readonly headers?: [string, string][]
  readonly body?: string | undefined
  readonly attempt?: Partial<TrunkAttempt>
  /** Of the 200. */
  readonly answer?: string
  readonly allow?: string
}

let numbers = 12_065_550_200

export async function startHandHouse(options: CallEdgeOptions = {}): Promise<HandHouse> {
  const ports = [await steadyPort(), await steadyPort()]
  const trunk = (i: number, more: object | undefined) => ({
    to: [`sip:127.0.0.1:${ports[i]}`],
    from: [`127.0.0.1:${ports[i]}`],
    listener: 'carrier',
    options: { interval: '1h' },
    ...more,
  })
  const house = await startCallEdge({
    ...options,
    trunks: {
      ...options.trunks,
      'itsp-a': trunk(0, options.trunks?.['itsp-a']),
      'itsp-b': trunk(1, options.trunks?.['itsp-b']),
    },
  })
  const edgePort = house.edge.port('carrier')
  const near = await rawPeer('UDP', { port: edgePort }, { port: ports[0] as number })
  const far = await rawPeer('UDP', { port: edgePort }, { port: ports[1] as number })
  const begin = async ({ attempt, ...parts }: HandParts = {}) => {
    const number = String(++numbers)
    house.route(() => plan([toTrunk('itsp-b', number, attempt)]))
    const caller = new HandCaller(near, number, edgePort, { body: sdp(40_000, '0 8'), ...parts })
    const callee = await HandCallee.take(far, number)
    return { caller, callee, number }
  }
  return {
    house,
    near,
    far,
    edgePort,
    begin,
    async talk(parts = {}) {
      const all = await begin(parts)
      const allow: [string, string][] = parts.allow === undefined ? [] : [['Allow', parts.allow]]
      all.callee.says(200, 'a', { body: parts.answer ?? sdp(40_002), headers: allow })
      await all.callee.asked('ACK', 'a')
      all.caller.ack(await all.caller.hears(200))
      return all
    },
    async end(caller, callee, tag = 'a') {
      const hung = caller.hangUp()
      callee.reply(await callee.asked('BYE', tag), 200)
      await hung
    },
    async assertEmpty() {
      const until = performance.now() + 10_000
      const left = () => house.calls.status()
      while ((left().legs > 0 || left().calls > 0) && performance.now() < until) await pause(20)
      assert.deepEqual([left().calls, left().legs], [0, 0])
    },
    async close() {
      near.close()
      far.close()
      await house.close()
    },
  }
}

export const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))
