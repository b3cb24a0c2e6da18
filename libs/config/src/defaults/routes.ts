/** Routes, and what calls for help need, with their defaults. */
import type { Emergency, Route, RouteWindow, Written } from '../configuration.ts'
import { EMERGENCY_TIMERS } from './trunk.ts'
import { ms } from './values.ts'

export function route(r: Written<'routes'>[number]): Route {
  return {
    name: r.name,
    match: r.match,
    except: r.except ?? [],
    usages: r.usages,
    trunks: r.trunks,
    select: r.select ?? 'order',
    priority: r.priority ?? 0,
    weight: r.weight ?? 0,
    when: windows(r.when),
  }
}

export function windows(written: Written<'routes'>[number]['when']): RouteWindow[] {
  return (written ?? []).map((w) => ({
    days: w.days ?? (['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const),
    from: w.from ?? '00:00',
    to: w.to ?? '24:00',
  }))
}

export function emergency(e: Written<'emergency'>): Emergency {
  return {
    numbers: e.numbers,
    test: e.test ?? [],
    trunks: e.trunks,
    relayCentre: e.relayCentre ?? null,
    desk: e.desk ?? [],
    elins: e.elins ?? {},
    callbackMs: ms(e.callback, 30 * 60_000),
    timers: {
      noResponseMs: ms(e.timers?.noResponse, EMERGENCY_TIMERS.noResponseMs),
      tryingOnlyMs: ms(e.timers?.tryingOnly, EMERGENCY_TIMERS.tryingOnlyMs),
    },
  }
}
