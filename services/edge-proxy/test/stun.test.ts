import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import fc from 'fast-check'
import { bindingAnswer, bindingRequest, looksLikeStun, readStun } from '../src/domain/stun.ts'
import { startEdgeForTest, testConfiguration } from './start-edge.ts'

const ID = 'b7e7a701bc34d686fa87dfae'

test('RFC 5769 2.2, 2.3: the XOR-MAPPED-ADDRESS of the sample responses', () => {
  const request = { kind: 'request' as const, id: ID, mapped: undefined, unknown: [] }
  const four = bindingAnswer(request, '192.0.2.1', 32853)
  assert.ok(four.toString('hex').includes('002000080001a147e112a643'))
  assert.equal(readStun(four)?.mapped, '192.0.2.1:32853')
  const six = bindingAnswer(request, '2001:db8:1234:5678:11:2233:4455:6677', 32853)
  assert.ok(six.toString('hex').includes('002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9'))
})

test('RFC 5389 7.3.1: an attribute that must be understood and is not gets 420 with its number', () => {
  const request = bindingRequest(ID)
  const odd = Buffer.concat([request, Buffer.from([0x00, 0x33, 0, 2, 1, 2, 0, 0])])
  odd.writeUInt16BE(8, 2)
  const read = readStun(odd)
  assert.deepEqual(read?.unknown, [0x33])
  assert.ok(read)
  const answer = bindingAnswer(read, '192.0.2.1', 1)
  assert.equal(readStun(answer)?.kind, 'error')
  assert.ok(answer.toString('hex').includes('000a00020033'))
})

test('what is no STUN is read as nothing, and nothing throws', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), (bytes, cookie) => {
      const message = Buffer.from(bytes)
      if (cookie && message.length >= 20) {
        message.writeUInt16BE(1, 0)
        message.writeUInt16BE(message.length - 20, 2)
        message.writeUInt32BE(0x2112a442, 4)
      }
      readStun(message)
      return true
    }),
  )
  assert.equal(looksLikeStun(Buffer.from('OPTIONS sip:a SIP/2.0\r\n')), false)
})

for (const address of ['127.0.0.1', '::1']) {
  test(`RFC 5626 8: the SIP port answers a Binding request with where it came from (${address})`, async () => {
    const six = address.includes(':')
    const base = testConfiguration()
    const listen = { inside: { url: `udp://${six ? '[::1]' : address}:0` } }
    const edge = await startEdgeForTest({ document: { ...base, trunks: {}, edge: { ...base.edge, listen } } })
    const socket = createSocket(six ? 'udp6' : 'udp4')
    socket.bind(0, address)
    await once(socket, 'listening')
    const answer = once(socket, 'message', { signal: AbortSignal.timeout(10_000) })
    socket.send(bindingRequest(ID), edge.port('inside'), address)
    const read = readStun((await answer)[0] as Buffer)
    assert.equal(read?.kind, 'success')
    assert.equal(read?.id, ID)
    assert.ok(read?.mapped?.endsWith(`:${socket.address().port}`), read?.mapped)
    socket.close()
    await edge.close()
  })
}
