// What our modules use of htmx, which is loaded before them, and what it puts into events and elements.

interface HtmxContext {
  sourceElement: HTMLElement;
  request: { body: FormData | URLSearchParams; cache?: RequestCache; headers: Record<string, string> };
  response?: { status: number; headers: Headers };
  /** Our own: rows that were streamed, not requested. */
  streamed?: boolean;
}

type HtmxEvent<Detail> = CustomEvent<Detail & { ctx: HtmxContext }>;

interface DocumentEventMap {
  "htmx:config:request": HtmxEvent<object>;
  "htmx:after:request": HtmxEvent<object>;
  "htmx:before:swap": HtmxEvent<{ tasks: { target: Element | null }[] }>;
  "htmx:after:swap": HtmxEvent<object>;
  "htmx:finally:request": HtmxEvent<object>;
}

interface HtmxSwap {
  text: string;
  sourceElement: HTMLElement;
  target: HTMLElement;
  swap: "none";
  streamed: boolean;
}

interface HtmxExtension {
  htmx_before_morph_attr?(element: Element, detail: { attrName: string }): boolean;
}

declare const htmx: {
  swap(what: HtmxSwap): Promise<void>;
  registerExtension(name: string, extension: HtmxExtension): void;
};
