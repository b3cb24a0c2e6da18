/** Where responses go over UDP: RFC 3261 18.2.2, RFC 3581 4. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { writeMessage } from '@tandem/sip/message/write.ts'
import { isResponse, type RawPeer, rawPeer, requestOf } from './raw-peer.ts'
import { startEdgeForTest, type TestEdge } from './start-edge.ts'

let edge: TestEdge
/** A gateway that sends from one port and listens on another. */
let sender: RawPeer
let listener: RawPeer

before(async () => {
  edge = await startEdgeForTest()
  sender = await rawPeer('UDP', { port: edge.port('inside') })
  listener = await rawPeer('UDP', { port: edge.port('inside') })
})
after(async () => {
  sender.close()
  listener.close()
  await edge.close()
})

function options(sentBy: string, rport = ''): { text: string; id: string } {
  const request = requestOf(sender, 'OPTIONS')
  const id = request.headers.get('call-id') as string
  request.headers.prepend('Via', `SIP/2.0/UDP ${sentBy}${rport};branch=z9hG4bK${id}`)
  return { text: Buffer.from(writeMessage(request)).toString(), id }
}

const answerTo = (id: string) => (m: Parameters<typeof isResponse>[0]) =>
  isResponse(m) && m.headers.get('call-id') === id

test('RFC 3261 18.2.2: without rport the response goes to the port of sent-by, and so does its repetition', async () => {
  const { text, id } = options(`127.0.0.1:${listener.port}`)
  sender.send(text)
  const first = await listener.next(answerTo(id))
  assert.ok(isResponse(first) && first.status === 200)
  sender.send(text)
  await listener.next(answerTo(id))
  assert.equal(sender.received.length, 0)
})

test('RFC 3261 18.2.2: what cannot be read is refused there too', async () => {
  const { text } = options(`127.0.0.1:${listener.port}`)
  sender.send(text.replace('CSeq: 1 OPTIONS', 'CSeq: 1 INVITE'))
  const refusal = await listener.next((m) => isResponse(m) && m.status === 400)
  assert.ok(isResponse(refusal))
})

test('RFC 3581 4: with rport the response goes to the port that the request came from', async () => {
  const { text, id } = options(`127.0.0.1:${listener.port}`, ';rport')
  sender.send(text)
  const response = await sender.next(answerTo(id))
  assert.match(response.headers.get('via') ?? '', new RegExp(`rport=${sender.port}`))
})

test('a sender behind a NAT that knows no rport is answered where it sent from', async () => {
  const { text, id } = options('10.1.2.3:5062')
  sender.send(text)
  const response = await sender.next(answerTo(id))
  assert.match(response.headers.get('via') ?? '', /^SIP\/2\.0\/UDP 10\.1\.2\.3:5062.*;received=127\.0\.0\.1/)
})
