/** The part of cli-progress 3 that is used; the package has no types of its own. */
declare module "cli-progress" {
  export class SingleBar {
    constructor(options: {
      format: string;
      stream: NodeJS.WriteStream;
      hideCursor: boolean;
      clearOnComplete: boolean;
      barsize: number;
    });
    start(total: number, value: number, payload: Record<string, string>): void;
    setTotal(total: number): void;
    update(value: number, payload: Record<string, string>): void;
    stop(): void;
  }
}
