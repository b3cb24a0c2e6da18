/**
 * A phone, a carrier or the whole platform on a host of the lab, moved by lines of JSON: `{"id":1,"do":"call","to":"911"}`
 * in, `{"id":1,"got":…}` or `{"id":1,"failed":"…"}` out. Ends when its input does.
 */
import { createInterface } from 'node:readline'
import { type Itsp, type ItspParts, startItsp } from '@tandem/testing/itsp.ts'
import { type Phone, type PhoneParts, startPhone } from '@tandem/testing/phone.ts'
import type { CallHandle } from '@tandem/testing/sip-call.ts'
import { type Document, eventually, startPlatform } from '../platform.ts'

type Order =
  | { readonly do: 'platform'; readonly document: Document }
  | { readonly do: 'phone'; readonly parts: PhoneParts }
  | { readonly do: 'carrier'; readonly parts: ItspParts }
  | { readonly do: 'call'; readonly to: string; readonly from?: string }
  /** The next call that comes in (a carrier answers by itself), answered. */
  | { readonly do: 'take' }
  | { readonly do: 'hears'; readonly tone: number }
  | { readonly do: 'hold' }
  | { readonly do: 'resume' }
  | { readonly do: 'hang-up' }
  | { readonly do: 'ended' }

let phone: Phone | undefined
let carrier: Itsp | undefined
let stopPlatform: (() => Promise<unknown>) | undefined
let call: CallHandle | undefined

const current = (): CallHandle => {
  if (!call) throw new Error('there is no call')
  return call
}
const told = (one: CallHandle) => ({ callId: one.callId, tone: one.audio.tone, audioPort: one.audio.port })

async function obey(order: Order): Promise<unknown> {
  switch (order.do) {
    case 'platform': {
      const platform = await startPlatform(() => order.document)
      stopPlatform = platform.stop
      return {}
    }
    case 'phone':
      phone = await startPhone(order.parts)
      await phone.register()
      return {}
    case 'carrier':
      carrier = await startItsp(order.parts)
      return {}
    case 'call':
      call = phone
        ? await phone.call(order.to)
        : await (carrier as Itsp).call({ to: order.to, from: order.from as string })
      await call.answered
      return told(call)
    case 'take':
      if (phone) {
        call = await phone.nextCall(20_000)
        await call.answer()
      } else {
        const invite = await (carrier as Itsp).nextInvite(() => true, 20_000)
        call = await eventually('the carrier answers', async () => invite.call)
        await call.answered
      }
      return told(call)
    case 'hears':
      return await current().audio.hears(order.tone, 20_000)
    case 'hold':
      return await current().hold()
    case 'resume':
      return await current().resume()
    case 'hang-up':
      return await current().hangUp()
    case 'ended':
      return await current().ended
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, ...order } = JSON.parse(line) as Order & { id: number }
  obey(order as Order).then(
    (got) => console.log(JSON.stringify({ id, got: got ?? null })),
    (error: unknown) => console.log(JSON.stringify({ id, failed: String(error) })),
  )
}
await phone?.close()
await carrier?.close()
await stopPlatform?.()
