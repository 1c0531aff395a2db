using System.Net;
using Godwit.Linux.Networking;
using Godwit.Networks.Guests;

namespace Godwit.Networks.Tests.Guests;

public sealed class PortNoteTests
{
    [Fact]
    public void What_is_written_is_read()
    {
        foreach (var address in (IPAddress?[])[null, IPAddress.Parse("10.244.0.5")])
        {
            var note = new PortNote(MacAddress.Parse("02:00:00:00:00:05"), address);
            Assert.True(PortNote.TryParse(note.ToString(), out var read));
            Assert.Equal(note, read);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("godwit")]
    [InlineData("godwit 02:00:00:00:00:05")]
    [InlineData("godwit 02:00:00:00:00:05 10.244.0.5 more")]
    [InlineData("godwit 02:00:00:00:00:05 fd00::1")]
    [InlineData("godwit 02:00:00:00:00:05 10.0.0.1;drop")]
    [InlineData("other 02:00:00:00:00:05 -")]
    public void What_others_wrote_is_nothing(string text) => Assert.False(PortNote.TryParse(text, out _));
}
