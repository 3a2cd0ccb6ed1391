"""Where frames come from: pictures, videos, streams, cameras."""
