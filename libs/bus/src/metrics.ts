import { Counter, Histogram, register } from 'prom-client'

function counter<L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> {
  return (
    (register.getSingleMetric(name) as Counter<L> | undefined) ??
    new Counter({ name, help, labelNames: [...labelNames] })
  )
}

/** Seconds from question to outcome, by subject and outcome. */
export const askSeconds: Histogram<'subject' | 'outcome'> =
  (register.getSingleMetric('tandem_bus_ask_seconds') as Histogram<'subject' | 'outcome'> | undefined) ??
  new Histogram({
    name: 'tandem_bus_ask_seconds',
    help: 'Time from a question to its outcome',
    labelNames: ['subject', 'outcome'],
    buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.3, 0.8, 2],
  })
export const answered = counter('tandem_bus_answered_total', 'Questions answered', ['subject', 'outcome'])
export const told = counter('tandem_bus_told_total', 'Facts published', ['subject'])
export const heard = counter('tandem_bus_heard_total', 'Facts received', ['subject', 'outcome'])
export const denied = counter('tandem_bus_denied_total', 'Permission violations reported by the server', ['operation'])
