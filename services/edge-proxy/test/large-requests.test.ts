import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { makeRequest, makeResponse } from '@tandem/sip/message/make.ts'
import { parseStream } from '@tandem/sip/message/parse.ts'
import { writeMessage } from '@tandem/sip/message/write.ts'
import { isRequest, type RawPeer, rawPeer } from './raw-peer.ts'
import { startEdgeForTest, type TestEdge, testConfiguration } from './start-edge.ts'

let edge: TestEdge
let both: RawPeer
let udpOnly: RawPeer
const connections = new Set<Socket>()
const overTcp: string[] = []
const takesTcp = { invites: true }

const server = createServer((socket) => {
  connections.add(socket)
  socket.on('error', () => {})
  socket.on('data', (chunk) => {
    const outcome = parseStream(chunk)
    if (outcome.kind !== 'message' || outcome.message.kind !== 'request') return
    const { message } = outcome
    if (message.method === 'MESSAGE' && !takesTcp.invites) return void socket.resetAndDestroy()
    overTcp.push(message.method)
    socket.write(writeMessage(makeResponse(message, 200, { toTag: 'x' })))
  })
})

before(async () => {
  both = await rawPeer('UDP', { port: 9 }, { from: '127.0.0.81' })
  udpOnly = await rawPeer('UDP', { port: 9 }, { from: '127.0.0.82' })
  server.listen(both.port, '127.0.0.81')
  await once(server, 'listening')
  for (const peer of [both, udpOnly]) serve(peer)
  const trunk = (peer: RawPeer) => ({
    to: [`sip:${peer.address}:${peer.port}`],
    from: [peer.address],
    listener: 'carrier',
    options: { interval: '200ms' },
  })
  const document = testConfiguration({
    trunks: { both: trunk(both), 'udp-only': trunk(udpOnly), fixed: { ...trunk(udpOnly), transport: 'udp' } },
  })
  const listen = { ...document.edge.listen, 'carrier-tcp': { url: 'tcp://127.0.0.1:0' } }
  edge = await startEdgeForTest({ document: { ...document, edge: { ...document.edge, listen } } })
})
after(async () => {
  await edge.close()
  for (const socket of connections) socket.destroy()
  server.close()
  both.close()
  udpOnly.close()
})

function serve(peer: RawPeer): void {
  peer.next(isRequest('OPTIONS'), 60_000).then(
    (request) => {
      peer.reply(request, 200)
      serve(peer)
    },
    () => {},
  )
}

async function send(trunk: string, bytes: number): Promise<number> {
  const [path] = await edge.core.edge.trunks.paths(trunk)
  assert.ok(path)
  const request = makeRequest({
    method: 'MESSAGE',
    uri: `sip:1@${path.host}`,
    from: '<sip:a@x>;tag=1',
    to: '<sip:1@x>',
    callId: `${trunk}-${bytes}-${Math.random()}`,
    cseq: 1,
    body: 'x'.repeat(bytes),
    contentType: 'text/plain',
  })
  return await new Promise((done) => {
    edge.core.edge.transactions.request(request, path.wire, {
      onResponse: (response) => done(response.status),
      onTimeout: () => done(408),
      onTransportError: () => done(503),
    })
  })
}

async function proved(): Promise<void> {
  for (let i = 0; i < 750; i++) {
    const [path] = await edge.core.edge.trunks.paths('both')
    if (path?.wire.large?.()) return
    await new Promise((done) => setTimeout(done, 20))
  }
  assert.fail('TCP was not proved')
}

const answer = async (peer: RawPeer) => peer.reply(await peer.next(isRequest('MESSAGE')), 202)

test('RFC 3261 18.1.1: over 1300 bytes by TCP where it was proved, a small request by UDP', async () => {
  await proved()
  assert.equal(await send('both', 1400), 200)
  assert.ok(overTcp.includes('MESSAGE'))
  const [status] = await Promise.all([send('both', 100), answer(both)])
  assert.equal(status, 202)
})

test('a carrier without TCP gets large requests by UDP', async () => {
  const [status] = await Promise.all([send('udp-only', 1400), answer(udpOnly)])
  assert.equal(status, 202)
})

test('a connection that is reset before an answer: the same request goes by UDP', async () => {
  await proved()
  takesTcp.invites = false
  const [status] = await Promise.all([send('both', 1400), answer(both)])
  assert.equal(status, 202)
})
