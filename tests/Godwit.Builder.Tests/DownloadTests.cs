using System.Net;
using System.Net.Sockets;
using System.Text;
using Godwit.Builder.Contexts;
using Godwit.Oci;

namespace Godwit.Builder.Tests;

/// <summary>What ADD fetches, from a server that does as the test tells it.</summary>
public sealed class DownloadTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("godwit-download-").FullName;

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task What_is_longer_than_allowed_is_refused_by_its_header_or_where_it_gets_too_long()
    {
        await using var announced = new OneAnswer("HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\n");
        Assert.Contains("longer than 4294967296 bytes", (await RefusedAsync(announced.Address("big"))).Message, StringComparison.Ordinal);
        await using var endless = new OneAnswer("HTTP/1.1 200 OK\r\n\r\n", new string('x', 1 << 20));
        Assert.Contains("longer than 65536 bytes", (await RefusedAsync(endless.Address("endless"), new DownloadBounds { BytesMax = 64 << 10 })).Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder));
    }

    [Fact]
    public async Task One_that_falls_silent_or_breaks_off_is_told_in_words()
    {
        await using var silent = new OneAnswer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "12345", staysOpen: true);
        Assert.Contains("nothing came of http://", (await RefusedAsync(silent.Address("slow"), new DownloadBounds { StallMax = TimeSpan.FromMilliseconds(200) })).Message, StringComparison.Ordinal);
        await using var broken = new OneAnswer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "12345");
        Assert.Contains("broke off", (await RefusedAsync(broken.Address("half"))).Message, StringComparison.Ordinal);
        Assert.Contains("cannot be fetched", (await RefusedAsync("http://127.0.0.1:1/x")).Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder));
    }

    [Fact]
    public async Task What_stands_in_an_address_besides_its_place_is_in_no_word()
    {
        await using var absent = new OneAnswer("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        var refusal = await RefusedAsync(absent.Address("file?token=hush").Replace("http://", "http://me:secret@", StringComparison.Ordinal));
        Assert.Contains("/file was answered with 404 Not Found", refusal.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hush", refusal.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("secret", refusal.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_digest_than_its_checksum_is_refused_whatever_its_algorithm()
    {
        var long512 = Digest.FromHash(System.Security.Cryptography.SHA512.HashData("12345"u8));
        foreach (var checksum in new[] { Digest.Of("12345"u8), long512 })
        {
            await using var right = new OneAnswer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "12345");
            using var file = await FetchAsync(right.Address("a%20b"), new DownloadBounds(), checksum);
            Assert.Equal("a b", file.Name);
            await using var wrong = new OneAnswer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "54321");
            Assert.Contains($", not {checksum}", (await Assert.ThrowsAsync<BuildException>(() => FetchAsync(wrong.Address("x"), new DownloadBounds(), checksum))).Message, StringComparison.Ordinal);
        }
    }

    private Task<BuildException> RefusedAsync(string address, DownloadBounds? bounds = null) => Assert.ThrowsAsync<BuildException>(() => FetchAsync(address, bounds ?? new DownloadBounds(), null));

    private Task<GivenFile> FetchAsync(string address, DownloadBounds bounds, Digest? checksum) => new Download(folder, bounds, TimeProvider.System).FetchAsync(address, checksum, 1, Stopping);

    /// <summary>A server that gives one answer to one request.</summary>
    private sealed class OneAnswer : IAsyncDisposable
    {
        private readonly TcpListener listener = new(IPAddress.Loopback, 0);
        private readonly CancellationTokenSource over = new();
        private readonly Task serving;

        public OneAnswer(string head, string body = "", bool staysOpen = false)
        {
            listener.Start();
            serving = ServeAsync(head + body, staysOpen);
        }

        public string Address(string path) => $"http://{listener.LocalEndpoint}/{path}";

        public async ValueTask DisposeAsync()
        {
            await over.CancelAsync();
            await serving;
            listener.Dispose();
            over.Dispose();
        }

        private async Task ServeAsync(string answer, bool staysOpen)
        {
            try
            {
                using var client = await listener.AcceptTcpClientAsync(over.Token);
                var stream = client.GetStream();
                var request = new byte[4096];
                var count = 0;
                while (!Encoding.ASCII.GetString(request, 0, count).Contains("\r\n\r\n", StringComparison.Ordinal))
                {
                    count += await stream.ReadAsync(request.AsMemory(count), over.Token);
                }

                await stream.WriteAsync(Encoding.ASCII.GetBytes(answer), over.Token);
                if (staysOpen)
                {
                    await new TaskCompletionSource().Task.WaitAsync(over.Token);
                }

                client.Client.Shutdown(SocketShutdown.Send);
                while (await stream.ReadAsync(request, over.Token) > 0)
                {
                    // Until the client hangs up too: closed before, what it has not read yet would be lost.
                }
            }
            catch (Exception ended) when (ended is OperationCanceledException or IOException)
            {
                // The client has what it wanted.
            }
        }
    }
}
