import { createServer } from 'node:net'
import { test } from 'node:test'
import { startPrivateNats } from '@tandem/testing/nats.ts'

test('a nats-server that dies in the middle of the handshake is asked again within seconds', async (t) => {
  const nats = await startPrivateNats()
  t.after(() => nats.close())
  const edge = await nats.bus('edge-proxy')
  await nats.crash()
  await until('disconnected', () => !edge.connected)
  let cut = 0
  const dying = createServer((socket) => {
    socket.on('error', () => {})
    socket.write('INFO {"server_id":"x","version":"2.9.10","proto":1,"headers":true,"max_payload":1048576}\r\n')
    // its CONNECT has come: gone before the PONG
    socket.once('data', () => {
      cut++
      socket.destroy()
    })
  })
  dying.listen(nats.port, '127.0.0.1')
  await until('a handshake was cut', () => cut > 0)
  await new Promise((done) => dying.close(done))
  await nats.start()
  // the client's own default would be 20 s
  await until('connected again', () => edge.connected)
})

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (holds()) return
    await new Promise((done) => setTimeout(done, 25))
  }
  throw new Error(`not within 15 s: ${what}`)
}
