using System.Net.Sockets;
using System.Text;
using Godwit.Containers.Attaching;

namespace Godwit.Containers.Tests;

public sealed class MonitorConnectionTests : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("godwit-monitor-");

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Delete(recursive: true);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_a_monitor_sent_before_it_ended_is_read_also_when_it_left_input_unread(bool leavesInput)
    {
        using var listener = new Socket(AddressFamily.Unix, SocketType.Seqpacket, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(Path.Combine(folder.FullName, MonitorFolder.Socket)));
        listener.Listen(1);
        await using var connection = await MonitorConnection.OpenAsync(new MonitorFolder(folder.FullName, "it"), Stopping);
        using (var monitor = await listener.AcceptAsync(Stopping))
        {
            if (leavesInput)
            {
                await connection.WriteAsync("nobody reads this"u8.ToArray(), Stopping);
            }

            await monitor.SendAsync("\u0002first"u8.ToArray(), Stopping);
            await monitor.SendAsync("\u0003second"u8.ToArray(), Stopping);
        }

        var read = new List<(OutputStream Stream, string Text)>();
        await foreach (var chunk in connection.ReadAsync(Stopping))
        {
            read.Add((chunk.Stream, Encoding.UTF8.GetString(chunk.Bytes.Span)));
        }

        Assert.Equal([(OutputStream.Standard, "first"), (OutputStream.Error, "second")], read);
    }
}
