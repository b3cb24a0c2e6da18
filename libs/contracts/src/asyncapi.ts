/** The contracts as an AsyncAPI 3.0 document, for people and tools outside. */
import { facts, requests } from './all.ts'
import { answerers, subjectPattern } from './contract.ts'

function id(subject: string): string {
  return subject.replace(/[^A-Za-z0-9]+/g, '-')
}

export function asyncApiDocument(): Record<string, unknown> {
  const channels: Record<string, unknown> = {}
  const operations: Record<string, unknown> = {}
  for (const r of requests) {
    const name = id(r.subject)
    channels[name] = {
      address: r.subject,
      messages: { question: { payload: r.question }, answer: { payload: r.answer } },
    }
    operations[`${name}-answer`] = {
      action: 'receive',
      channel: { $ref: `#/channels/${name}` },
      messages: [{ $ref: `#/channels/${name}/messages/question` }],
      reply: { channel: { $ref: `#/channels/${name}` }, messages: [{ $ref: `#/channels/${name}/messages/answer` }] },
      description: `Asked by ${r.askedBy.join(', ')}; answered by ${answerers(r).join(', ')} within ${r.timeoutMs} ms.`,
    }
  }
  for (const f of facts) {
    const name = id(f.subject)
    channels[name] = {
      address: f.key === undefined ? f.subject : `${f.subject}.{${f.key}}`,
      ...(f.key === undefined ? {} : { parameters: { [f.key]: {} } }),
      messages: { fact: { payload: f.body } },
    }
    operations[`${name}-tell`] = {
      action: 'send',
      channel: { $ref: `#/channels/${name}` },
      description: `${subjectPattern(f)}: told by ${f.toldBy.join(', ')}; heard by ${f.heardBy.join(', ')}.`,
    }
  }
  return {
    asyncapi: '3.0.0',
    info: { title: 'Tandem on NATS', version: '1', description: 'Every subject of the platform.' },
    defaultContentType: 'application/json',
    channels,
    operations,
  }
}
