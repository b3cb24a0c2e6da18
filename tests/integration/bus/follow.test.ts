import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import type { Bus } from '@tandem/bus/bus.ts'
import { CallStarted, type Leg } from '@tandem/contracts/call.ts'
import { startPrivateNats } from '@tandem/testing/nats.ts'

const leg = (legId: string): Leg => ({
  callId: 'c1',
  legId,
  seq: 1,
  edge: 'e1',
  at: '2026-01-02T03:04:05.678Z',
  role: 'caller',
  party: { kind: 'user', user: 'alice' },
  from: '+14255551001',
  dialled: '912065550100',
  emergency: false,
  attempt: 1,
  sipCallId: 'x@y',
})

async function until(look: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let tries = 0; tries < 1500; tries++) {
    if (await look()) return
    await new Promise((done) => setTimeout(done, 10))
  }
  assert.fail(`not within 15 s: ${what}`)
}

/** How many read the stream of progress, as the server says. */
async function readers({ connection }: Bus): Promise<number> {
  return (await connection.request('$JS.API.CONSUMER.LIST.CALL_PROGRESS')).json<{ total: number }>().total
}

/** A way to the server that can be cut for one listener alone. */
async function cuttable(port: number) {
  const sockets = new Set<Socket>()
  let cut = false
  const server = createServer((near) => {
    if (cut) {
      near.destroy()
      return
    }
    const far = connect(port, '127.0.0.1')
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on('error', () => {}).on('close', () => to.destroy())
      from.pipe(to)
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `nats://127.0.0.1:${(server.address() as { port: number }).port}`,
    cut() {
      cut = true
      for (const socket of sockets) socket.destroy()
    },
    mend() {
      cut = false
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

test('who follows a fact gets what was told before it came, what is told, and what was told while it was cut off', async () => {
  const nats = await startPrivateNats()
  const way = await cuttable(nats.port)
  try {
    const edge = await nats.bus('edge-proxy')
    const console = await nats.bus('console', { url: way.url })
    edge.tell(CallStarted, leg('before'))
    await edge.flush()
    const heard: string[] = []
    console.follow(CallStarted, { sinceMs: 60_000 }, ({ legId }) => void heard.push(legId))
    await console.flush()
    await until(() => heard.includes('before'), 'what stood in the stream')

    edge.tell(CallStarted, leg('live'))
    await edge.flush()
    await until(() => heard.includes('live'), 'what is told')

    way.cut()
    await until(() => !console.connected, 'the connection is gone')
    edge.tell(CallStarted, leg('meanwhile'))
    await edge.flush()
    way.mend()
    await until(() => heard.includes('meanwhile'), 'what was told meanwhile')

    edge.tell(CallStarted, leg('after'))
    await edge.flush()
    await until(() => heard.includes('after'), 'what is told again')
    await until(async () => (await readers(console)) === 0, 'who has read to the end only hears')
  } finally {
    await nats.close()
    await way.close()
  }
})

test('who follows a fact that nobody told yet hears the first one', async () => {
  const nats = await startPrivateNats()
  try {
    const [edge, console] = [await nats.bus('edge-proxy'), await nats.bus('console')]
    const heard: string[] = []
    const stop = console.follow(CallStarted, { sinceMs: 60_000 }, ({ legId }) => void heard.push(legId))
    await console.flush()
    edge.tell(CallStarted, leg('first'))
    await until(() => heard.length > 0, 'the first one')
    await stop()
    edge.tell(CallStarted, leg('second'))
    await edge.flush()
    await console.flush()
    assert.equal(heard.includes('second'), false)
  } finally {
    await nats.close()
  }
})
