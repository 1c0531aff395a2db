using System.Diagnostics;
using System.Net.WebSockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using Godwit.Real.Tests.Labs;

namespace Godwit.Real.Tests.Examples;

/// <summary>
/// A page in a headless Chromium, driven as a person's hands and eyes would be, over the DevTools protocol
/// (https://chromedevtools.github.io/devtools-protocol/): one request at a time, events are read over.
/// </summary>
internal sealed class Browser : IAsyncDisposable
{
    public const string Program = "/usr/bin/chromium-headless-shell";

    private const int MessageBytesMax = 32 << 20;
    private const string Announcement = "DevTools listening on ";
    private static readonly TimeSpan AnswerBound = TimeSpan.FromSeconds(60);

    private readonly Process process;
    private readonly string profile;
    private readonly ClientWebSocket socket = new();
    private Task rest = Task.CompletedTask;
    private int lastRequest;

    private Browser(Process process, string profile) => (this.process, this.profile) = (process, profile);

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    public static async Task<Browser> StartAsync()
    {
        var folder = Directory.CreateTempSubdirectory("gwd-browser-").FullName;
        // Root runs it here, for which it has no sandbox; it sees our own page only.
        var start = new ProcessStartInfo(Program, ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-port=0", $"--user-data-dir={folder}", "--window-size=1280,900", "about:blank"]) { RedirectStandardError = true };
        var browser = new Browser(Process.Start(start)!, folder);
        while (await browser.process.StandardError.ReadLineAsync(Stopping).AsTask().WaitAsync(AnswerBound, Stopping) is { } line)
        {
            if (line.StartsWith(Announcement, StringComparison.Ordinal))
            {
                browser.rest = browser.process.StandardError.BaseStream.CopyToAsync(Stream.Null, CancellationToken.None); // Read, so that it never waits for us, and not kept.
                await browser.ConnectAsync(new Uri(line[Announcement.Length..]));
                return browser;
            }
        }

        throw new InvalidOperationException($"{Program} ended before it listened.");
    }

    /// <summary>Goes to a page, and returns when it is there.</summary>
    /// <exception cref="IOException">It cannot be reached.</exception>
    public async Task OpenAsync(Uri page)
    {
        await EvaluateAsync("window.left = true"); // The page before this one; a new one does not have it.
        var answer = await SendAsync("Page.navigate", new JsonObject { ["url"] = page.ToString() });
        if (answer["errorText"] is { } trouble)
        {
            throw new IOException($"{page}: {trouble}");
        }

        await UntilAsync("!window.left && document.readyState === 'complete'");
    }

    /// <summary>Does something that leads to another page, and returns when that is there.</summary>
    public async Task FollowAsync(string action)
    {
        await EvaluateAsync($"window.left = true; {action}");
        await UntilAsync("!window.left && document.readyState === 'complete'");
    }

    /// <summary>Evaluates an expression in the page and returns its value as JSON has it.</summary>
    public async Task<JsonNode?> EvaluateAsync(string expression)
    {
        var answer = await SendAsync("Runtime.evaluate", new JsonObject { ["expression"] = expression, ["returnByValue"] = true, ["awaitPromise"] = true });
        Assert.True(answer["exceptionDetails"] is null, $"{expression}: {answer["exceptionDetails"]?.ToJsonString()}");
        return answer["result"]?["value"];
    }

    /// <summary>Waits until an expression is true of whatever page is there by then; a failure says what the page shows instead.</summary>
    public async Task UntilAsync(string condition)
    {
        var clock = Stopwatch.StartNew();
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        while (!await IsTrueAsync(condition))
        {
            if (clock.Elapsed > AnswerBound)
            {
                var shown = await EvaluateAsync("location.href + ' shows: ' + document.body.innerText.slice(0, 2000)");
                Assert.Fail($"not within {AnswerBound}: {condition}; the page at {shown}");
            }

            await look.WaitForNextTickAsync(Stopping);
        }
    }

    /// <summary>Whether an expression is true now; one that fails, or whose page goes away meanwhile, is not.</summary>
    public async Task<bool> IsTrueAsync(string condition)
    {
        try
        {
            return (await EvaluateAsync($"(() => {{ try {{ return !!({condition}) }} catch (e) {{ return false }} }})()"))?.GetValue<bool>() == true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    /// <summary>What there is to see, as a PNG.</summary>
    public async Task<byte[]> PhotographAsync() => Convert.FromBase64String((await SendAsync("Page.captureScreenshot", []))["data"]!.GetValue<string>());

    public async ValueTask DisposeAsync()
    {
        socket.Dispose();
        process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync(CancellationToken.None);
        await rest;
        process.Dispose();
        Directory.Delete(profile, recursive: true);
    }

    private async Task ConnectAsync(Uri devTools)
    {
        using var client = new HttpClient();
        var pages = await Eventually.GetAsync(
            "the browser has a page",
            AnswerBound,
            async () => JsonNode.Parse(await client.GetStringAsync(new Uri($"http://{devTools.Authority}/json/list"), Stopping))!.AsArray().FirstOrDefault(one => one!["type"]!.GetValue<string>() == "page"));
        await socket.ConnectAsync(new Uri(pages["webSocketDebuggerUrl"]!.GetValue<string>()), Stopping);
    }

    private async Task<JsonNode> SendAsync(string method, JsonObject parameters)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(Stopping);
        bound.CancelAfter(AnswerBound);
        var request = new JsonObject { ["id"] = ++lastRequest, ["method"] = method, ["params"] = parameters };
        await socket.SendAsync(JsonSerializer.SerializeToUtf8Bytes(request), WebSocketMessageType.Text, endOfMessage: true, bound.Token);
        while (true)
        {
            var message = await ReceiveAsync(bound.Token);
            if (message["id"]?.GetValue<int>() == lastRequest)
            {
                return message["result"] ?? throw new InvalidOperationException($"{method}: {message["error"]?.ToJsonString()}");
            }
        }
    }

    private async Task<JsonNode> ReceiveAsync(CancellationToken stopping)
    {
        using var message = new MemoryStream();
        var buffer = new byte[64 << 10];
        ValueWebSocketReceiveResult part;
        do
        {
            part = await socket.ReceiveAsync(buffer.AsMemory(), stopping);
            message.Write(buffer, 0, part.Count);
            Assert.True(message.Length < MessageBytesMax && part.MessageType is WebSocketMessageType.Text, "the browser speaks no text, or without end");
        }
        while (!part.EndOfMessage);
        return JsonNode.Parse(message.ToArray())!;
    }
}
