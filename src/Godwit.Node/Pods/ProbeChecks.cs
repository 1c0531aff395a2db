using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Godwit.Api.Core.V1;
using Godwit.Base;
using Godwit.Containers;

namespace Godwit.Node.Pods;

/// <summary>Runs a program in a container, and says how it ended and what it printed.</summary>
/// <param name="containerId">The engine's id.</param>
/// <param name="command">The program and its arguments.</param>
/// <param name="stopping">Ends the waiting.</param>
internal delegate Task<(int? Code, string Words)> RunInContainer(string containerId, IReadOnlyList<string> command, CancellationToken stopping);

/// <summary>One look at a container: null when it is well, else what is wrong.</summary>
internal sealed class ProbeChecks(RunInContainer run, TimeProvider time) : IDisposable
{
    private const string GrpcType = "application/grpc";

    private readonly HttpClient http = new(new SocketsHttpHandler
    {
        UseProxy = false,
        AllowAutoRedirect = false,
        UseCookies = false,
        PooledConnectionLifetime = TimeSpan.Zero, // Each look is a new connection, as a client's would be.
        SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = (_, presented, _, _) => presented is not null }, // Whether it answers is asked, not who it is.
    })
    { Timeout = Timeout.InfiniteTimeSpan };

    public void Dispose() => http.Dispose();

    /// <param name="subject">Whose.</param>
    /// <param name="probe">What to ask.</param>
    /// <param name="stopping">Ends the waiting.</param>
    public Task<string?> RunAsync(ProbeSubject subject, Probe probe, CancellationToken stopping) =>
        BoundAsync(TimeSpan.FromSeconds(Math.Max(1, probe.TimeoutSeconds ?? 1)), bounded => probe switch
        {
            { Exec: { } exec } => ExecuteAsync(subject, exec, bounded),
            { HttpGet: { } get } => GetAsync(subject, get, bounded),
            { TcpSocket: { } tcp } => ConnectAsync(subject, tcp, bounded),
            { Grpc: { } grpc } => AskHealthAsync(subject, grpc, bounded),
            _ => Task.FromResult<string?>("the probe asks nothing that is known"),
        }, stopping);

    /// <summary>A hook; its patience is the caller's.</summary>
    public Task<string?> RunAsync(ProbeSubject subject, LifecycleHandler hook, TimeSpan patience, CancellationToken stopping) =>
        BoundAsync(patience, async bounded =>
        {
            switch (hook)
            {
                case { Exec: { } exec }:
                    return await ExecuteAsync(subject, exec, bounded);
                case { HttpGet: { } get }:
                    return await GetAsync(subject, get, bounded);
                case { TcpSocket: { } tcp }:
                    return await ConnectAsync(subject, tcp, bounded);
                case { Sleep: { } sleep }:
                    await Task.Delay(TimeSpan.FromSeconds(sleep.Seconds), time, bounded);
                    return null;
                default:
                    return null;
            }
        }, stopping);

    private async Task<string?> BoundAsync(TimeSpan patience, Func<CancellationToken, Task<string?>> look, CancellationToken stopping)
    {
        using var late = new CancellationTokenSource(patience, time);
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(late.Token, stopping);
        try
        {
            return await look(bounded.Token);
        }
        catch (OperationCanceledException) when (late.IsCancellationRequested && !stopping.IsCancellationRequested)
        {
            return $"no answer within {patience.TotalSeconds} s";
        }
        catch (Exception failure) when (failure is HttpRequestException or SocketException or IOException or ContainerException)
        {
            return ErrorChain.Describe(failure);
        }
    }

    private async Task<string?> ExecuteAsync(ProbeSubject subject, ExecAction exec, CancellationToken stopping) =>
        await run(subject.ContainerId, exec.Command, stopping) is var (code, words) && code is 0 ? null : words.Length > 0 ? words : $"exit code {code}";

    private async Task<string?> GetAsync(ProbeSubject subject, HTTPGetAction get, CancellationToken stopping)
    {
        var scheme = string.Equals(get.Scheme, "HTTPS", StringComparison.OrdinalIgnoreCase) ? "https" : "http";
        var host = string.IsNullOrEmpty(get.Host) ? subject.Address : get.Host;
        var path = string.IsNullOrEmpty(get.Path) ? "/" : get.Path.StartsWith('/') ? get.Path : "/" + get.Path;
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{scheme}://{host}:{subject.PortOf(get.Port)}{path}");
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("kube-probe", "1.32"));
        foreach (var header in get.HttpHeaders)
        {
            if (string.Equals(header.Name, "Host", StringComparison.OrdinalIgnoreCase))
            {
                request.Headers.Host = header.Value;
            }
            else
            {
                request.Headers.TryAddWithoutValidation(header.Name, header.Value);
            }
        }

        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stopping);
        return (int)response.StatusCode is >= 200 and < 400 ? null : $"HTTP probe failed with statuscode: {(int)response.StatusCode}";
    }

    private static async Task<string?> ConnectAsync(ProbeSubject subject, TCPSocketAction tcp, CancellationToken stopping)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(string.IsNullOrEmpty(tcp.Host) ? subject.Address : tcp.Host, subject.PortOf(tcp.Port), stopping);
        return null;
    }

    /// <summary>gRPC's health protocol (grpc.health.v1): one message with the service's name there, one with a number back, of which 1 is SERVING.</summary>
    private async Task<string?> AskHealthAsync(ProbeSubject subject, GRPCAction grpc, CancellationToken stopping)
    {
        var service = Encoding.UTF8.GetBytes(grpc.Service ?? "");
        byte[] message = service.Length == 0 ? [] : [0x0a, .. LengthOf(service.Length), .. service];
        var frame = new byte[5 + message.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), message.Length);
        message.CopyTo(frame, 5);
        using var request = new HttpRequestMessage(HttpMethod.Post, $"http://{subject.Address}:{grpc.Port}/grpc.health.v1.Health/Check")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(frame) { Headers = { ContentType = new MediaTypeHeaderValue(GrpcType) } },
        };
        request.Headers.TE.ParseAdd("trailers");
        using var response = await http.SendAsync(request, stopping);
        var answer = await response.Content.ReadAsByteArrayAsync(stopping);
        return answer.AsSpan() is [0, _, _, _, _, 0x08, 0x01, ..] ? null : $"the service '{grpc.Service}' does not say that it is serving";
    }

    /// <summary>A length in protobuf's form: seven bits a byte, the lowest first.</summary>
    private static IEnumerable<byte> LengthOf(int length)
    {
        for (; length > 0x7f; length >>= 7)
        {
            yield return (byte)(length | 0x80);
        }

        yield return (byte)length;
    }
}

/// <summary>Programs that the engine runs.</summary>
internal static class EngineRuns
{
    private const int WordsBytesMax = 1024;

    public static RunInContainer Of(ContainerEngine engine) => async (containerId, command, stopping) =>
    {
        var execution = engine.CreateExecution(containerId, new ExecutionSpec { Process = new ProcessSpec { Command = command } });
        await using var session = await engine.StartExecutionAsync(execution, size: null, stopping);
        var words = new MemoryStream();
        await foreach (var chunk in session.ReadOutputAsync(stopping))
        {
            words.Write(chunk.Bytes.Span[..Math.Min(chunk.Bytes.Length, WordsBytesMax - (int)Math.Min(words.Length, WordsBytesMax))]);
        }

        return (engine.GetExecution(execution).ExitCode, Encoding.UTF8.GetString(words.ToArray()).Trim());
    };
}

/// <summary>The container that is looked at.</summary>
/// <param name="ContainerId">The engine's id.</param>
/// <param name="Address">The pod's, or the host's.</param>
/// <param name="Container">For its ports' names.</param>
internal sealed record ProbeSubject(string ContainerId, string Address, Container Container)
{
    /// <exception cref="IOException">It has no such port.</exception>
    public int PortOf(IntOrText port) => port.Text is not { } name ? port.Number
        : Container.Ports.FirstOrDefault(each => each.Name == name)?.Number
            ?? (int.TryParse(name, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var number) ? number
                : throw new IOException($"the container has no port named {name}"));
}
