import type { TestContext } from 'node:test'
import type { EventChannel } from '../../lib/index.ts'

/** Collects the events of a channel until the test ends. */
export function eventsOf<Event>(t: TestContext, channel: EventChannel<Event>): Event[] {
  const events: Event[] = []
  const listener = (event: Event): void => void events.push(event)
  channel.subscribe(listener)
  t.after(() => channel.unsubscribe(listener))
  return events
}
